// SPDX-License-Identifier: Apache-2.0

package control

import (
	"errors"
	"net/http"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/rtsched"
)

// ErrNoMaster says that no master serves this host.
var ErrNoMaster = errors.New("no vlibmaster serves this host")

// errRequest says that a request is not understood: command and master are of
// different versions, or it is no command.
var errRequest = errors.New("malformed request")

// kinds are the errors that pass the socket as what they are, the more
// particular first.
var kinds = []struct {
	name   string
	err    error
	status int
}{
	{"not-adopted", master.ErrNotAdopted, http.StatusNotFound},
	{"not-reserved", master.ErrNotReserved, http.StatusNotFound},
	{"no-members", host.ErrNoMembers, http.StatusNotFound},
	{"not-here", host.ErrNotHere, http.StatusNotImplemented},
	{"not-allowed", host.ErrNotAllowed, http.StatusForbidden},
	{"no-domain", host.ErrNoDomain, http.StatusNotFound},
	{"not-admitted", host.ErrNotAdmitted, http.StatusConflict},
	{"range", rtsched.ErrRange, http.StatusBadRequest},
	{"control-domain", master.ErrControl, http.StatusForbidden},
	{"full", master.ErrFull, http.StatusConflict},
	{"class", master.ErrClass, http.StatusBadRequest},
	{"request", errRequest, http.StatusBadRequest},
}

// failure is an error on its way.
type failure struct {
	Kind  string `json:"kind"`
	Error string `json:"error"`
}

func failureOf(err error) (failure, int) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return failure{k.name, err.Error()}, k.status
		}
	}
	return failure{"other", err.Error()}, http.StatusInternalServerError
}

// remote is an error that came by the socket.
type remote struct {
	text string
	kind error
}

func (e *remote) Error() string { return e.text }
func (e *remote) Unwrap() error { return e.kind }

func (f failure) err() error {
	e := &remote{text: f.Error}
	for _, k := range kinds {
		if k.name == f.Kind {
			e.kind = k.err
		}
	}
	return e
}
