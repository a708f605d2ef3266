// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"io/fs"
	"net/http"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// Errors of a master that callers tell apart, besides the host's.
var (
	// ErrNoMaster says that no master serves this host.
	ErrNoMaster    = errors.New("no vlibmaster serves this host")
	ErrNotAdopted  = errors.New("has no reservation")
	ErrNotReserved = errors.New("no such reservation of threads")
	ErrControl     = errors.New("a control domain has a reservation of its own")
	ErrFull        = errors.New("all reservations are in use")
	// ErrRequest says that a message is not understood: the versions of client and
	// master differ, or the peer is something else.
	ErrRequest = errors.New("malformed request")
)

// kinds are the errors that keep their identity on the way. Of two that match, the
// more particular stands first.
var kinds = []struct {
	name   string
	err    error
	status int
}{
	{"not-adopted", ErrNotAdopted, http.StatusNotFound},
	{"not-reserved", ErrNotReserved, http.StatusNotFound},
	{"no-members", host.ErrNoMembers, http.StatusNotFound},
	{"not-here", host.ErrNotHere, http.StatusNotImplemented},
	{"not-allowed", host.ErrNotAllowed, http.StatusForbidden},
	{"no-domain", host.ErrNoDomain, http.StatusNotFound},
	{"not-admitted", host.ErrNotAdmitted, http.StatusConflict},
	{"range", rtsched.ErrRange, http.StatusBadRequest},
	{"control-domain", ErrControl, http.StatusForbidden},
	{"full", ErrFull, http.StatusConflict},
	{"class", host.ErrClass, http.StatusBadRequest},
	{"request", ErrRequest, http.StatusBadRequest},
	{"not-permitted", fs.ErrPermission, http.StatusForbidden},
}

// Failure is an error on its way.
type Failure struct {
	Kind  string `json:"kind"`
	Error string `json:"error"`
}

// FailureOf is how an error travels, with the HTTP status of its answer.
func FailureOf(err error) (Failure, int) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return Failure{k.name, err.Error()}, k.status
		}
	}
	return Failure{"other", err.Error()}, http.StatusInternalServerError
}

// Err is the error that a failure was: errors.Is finds its kind.
func (f Failure) Err() error {
	e := &remoteError{text: f.Error}
	for _, k := range kinds {
		if k.name == f.Kind {
			e.kind = k.err
		}
	}
	return e
}

// remoteError is an error that came by the socket.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }
