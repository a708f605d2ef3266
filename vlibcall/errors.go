// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"errors"
	"fmt"
	"os"

	"github.com/vlibos/vlibos/internal/printable"
)

// Status is the result of a call in a reply.
type Status uint16

// The statuses of a channel.
const (
	StatusOK         Status = iota
	StatusFailed            // the function itself failed; the detail is its text
	StatusNoLibrary         // the server has no such library
	StatusNoFunction        // the library has no such function
	StatusSignature         // the signature is malformed or does not fit the input
	StatusCrashed           // the function crashed its process
	StatusCancelled         // stopped because the client gave up, or its time was over
	StatusTooLarge          // the output does not fit into the channel
	StatusBadRequest        // lengths or flags that make no sense
	StatusDenied            // the server's policy forbids it
	StatusTimeout           // of a server that calls another one: that call timed out
	StatusGone              // of a server that calls another one: that server is gone
	StatusUnpaid            // of a server that calls another one: the reservation cannot be charged
)

// Errors of calls; test with errors.Is. A call on a channel that this side has
// closed ends with os.ErrClosed.
var (
	ErrFailed     = errors.New("the function failed")
	ErrNoLibrary  = errors.New("no such library")
	ErrNoFunction = errors.New("no such function")
	ErrSignature  = errors.New("bad signature")
	ErrCrashed    = errors.New("the function crashed")
	ErrCancelled  = errors.New("cancelled by the server")
	ErrTooLarge   = errors.New("too large for the channel")
	ErrBadRequest = errors.New("malformed request")
	ErrDenied     = errors.New("denied by the server")

	// ErrTimeout: the caller's time is over, or its context is done. It comes
	// with context.DeadlineExceeded or context.Canceled, whichever it was. The
	// channel stays usable; a late answer is dropped.
	ErrTimeout = errors.New("no answer in time")
	// ErrGone: the vLib OS, or its server, is no longer there.
	ErrGone = errors.New("the vLib OS is gone")
	// ErrProtocol: the peer broke the channel protocol. The channel is dead.
	ErrProtocol = errors.New("protocol violation by the vLib OS")
	// ErrReservation: the reservation cannot pay for the call, or none was
	// named where one must.
	ErrReservation = errors.New("no call on this reservation")
)

// errClosed is os.ErrClosed with a text for things that are not files.
var errClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string { return "closed" }
func (closedError) Unwrap() error { return os.ErrClosed }

var statusErrors = [...]error{
	StatusFailed:     ErrFailed,
	StatusNoLibrary:  ErrNoLibrary,
	StatusNoFunction: ErrNoFunction,
	StatusSignature:  ErrSignature,
	StatusCrashed:    ErrCrashed,
	StatusCancelled:  ErrCancelled,
	StatusTooLarge:   ErrTooLarge,
	StatusBadRequest: ErrBadRequest,
	StatusDenied:     ErrDenied,
	StatusTimeout:    ErrTimeout,
	StatusGone:       ErrGone,
	StatusUnpaid:     ErrReservation,
}

// StatusError is a call that the server answered with another status than
// StatusOK. It unwraps to the sentinel of its status. A handler returns one to
// choose the status.
type StatusError struct {
	Status Status
	Detail string // the server's words, at most maxDetail bytes, made printable
}

const maxDetail = 4096

func (e *StatusError) Error() string {
	if e.Detail == "" {
		return e.Unwrap().Error()
	}
	if e.Status == StatusFailed {
		return e.Detail
	}
	return e.Unwrap().Error() + ": " + e.Detail
}

func (e *StatusError) Unwrap() error {
	if e.Status == StatusOK || int(e.Status) >= len(statusErrors) {
		return ErrProtocol
	}
	return statusErrors[e.Status]
}

// ReceivedStatus is the error for a status and a detail from a peer: a
// StatusError whose detail is short and printable, or ErrProtocol for an
// unknown status.
func ReceivedStatus(status Status, detail []byte) error {
	if status == StatusOK || int(status) >= len(statusErrors) {
		return protocolError("unknown status %d", status)
	}
	return &StatusError{Status: status, Detail: printable.Text(string(detail[:min(len(detail), maxDetail)]))}
}

// StatusOf is the inverse: the status and detail for the error of a handler or
// a transport.
func StatusOf(err error) (Status, string) {
	if se := (*StatusError)(nil); errors.As(err, &se) {
		return se.Status, se.Detail
	}
	for s, sentinel := range statusErrors {
		if sentinel == nil || !errors.Is(err, sentinel) {
			continue
		}
		if err == sentinel {
			return Status(s), ""
		}
		return Status(s), err.Error()
	}
	return StatusFailed, err.Error()
}

// OpError names the operation of this package that failed, and its object.
type OpError struct {
	Peer   string // Options.Peer of the channel
	Op     string // "open", "call", "session"
	Target string // "port 3", "libm.so.6:cos"
	Err    error
}

func (e *OpError) Error() string {
	text := e.Op + " " + e.Target + ": " + e.Err.Error()
	if e.Peer != "" {
		text = e.Peer + ": " + text
	}
	return text
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
