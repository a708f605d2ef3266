// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// ServeDescribe answers client.Client.Describe.
func ServeDescribe(m *master.Master, g Gateway, t Throttle, c Caches, s *receipt.Shelf) Extra {
	return Extra{"GET " + api.PathDescribe, http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		d, err := m.Describe(hr.Context(), hr.URL.Query().Get(api.QueryDomain))
		if err != nil {
			reply(w, nil, err)
			return
		}
		means := func(ref string) bool { return ref == d.ID || d.Means(ref) }
		d.Throttle, d.CacheClass = t.Status(), c.Class(d.ID)
		if u, ok := c.Use(hr.Context())[d.ID]; ok {
			d.Cache = &u
		}
		d.Called = slices.DeleteFunc(g.List(), func(t api.Target) bool { return !means(t.Domain) })
		d.Watched = slices.DeleteFunc(g.Watched(), func(w api.Watched) bool { return !means(w.Domain) })
		all, _, err := s.Read()
		d.Calls = slices.DeleteFunc(all, func(a receipt.Account) bool { return a.Domain != cmp.Or(d.UUID, d.ID) })
		reply(w, d, err)
	})}
}
