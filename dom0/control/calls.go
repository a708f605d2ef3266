// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
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

// XAPI is what follows XAPI.
type XAPI interface {
	Status() api.XAPI
	Hook(context.Context, api.Hook) error
}

// ServeXAPI answers client.Client.XAPI and client.Client.Hook.
func ServeXAPI(x XAPI) []Extra {
	return []Extra{
		{"GET " + api.PathXAPI, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, x.Status(), nil) })},
		{"POST " + api.PathHook, posted(func(ctx context.Context, h api.Hook) (any, error) { return struct{}{}, x.Hook(ctx, h) })},
	}
}
