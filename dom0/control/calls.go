// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"net/http"

	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// Calls is what a master knows of the calls that tools made.
type Calls struct {
	Accounts []receipt.Account `json:"accounts"`
	Health   receipt.Health    `json:"health"`
}

// Extra is one more path that a master answers, by a pattern of http.ServeMux.
type Extra struct {
	Pattern string
	Handler http.Handler
}

// ServeCalls answers [Client.Calls].
func ServeCalls(s *receipt.Shelf) Extra {
	return Extra{"GET /v1/calls", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		all, h, err := s.Read()
		reply(w, Calls{all, h}, err)
	})}
}

// Calls says what calls cost, by domain, function and caller.
func (c *Client) Calls(ctx context.Context) (all Calls, err error) {
	err = c.ask(ctx, "GET", "/v1/calls", nil, &all)
	return all, err
}
