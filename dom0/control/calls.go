// SPDX-License-Identifier: Apache-2.0

package control

import (
	"net/http"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// Extra is one more path that a master answers, by a pattern of http.ServeMux.
type Extra struct {
	Pattern string
	Handler http.Handler
}

// ServeCalls answers client.Client.Calls.
func ServeCalls(s *receipt.Shelf) Extra {
	return Extra{"GET " + api.PathCalls, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		all, h, err := s.Read()
		reply(w, api.Calls{Accounts: all, Health: h}, err)
	})}
}
