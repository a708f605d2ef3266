// SPDX-License-Identifier: Apache-2.0

package evtchn

import (
	"errors"
	"os"
)

var (
	// ErrInterrupted is what a wait returns that [Handle.Interrupt] ended.
	ErrInterrupted = errors.New("interrupted")

	// ErrBusy is what a wait returns when another goroutine already waits on
	// the same handle.
	ErrBusy = errors.New("another wait is in progress on this handle")
)

// OpError is the error of every operation of a [Handle]. A closed handle is
// [os.ErrClosed] inside, an expired deadline [os.ErrDeadlineExceeded], and what
// the kernel or Xen refuses is a [golang.org/x/sys/unix.Errno].
type OpError struct {
	// Op is the operation, for example "bind interdomain 3/17".
	Op string
	// Err is the reason.
	Err error
}

func (e *OpError) Error() string { return "evtchn: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Err: err}
}

// The outcomes of the hot path are made once: a wait that times out or is
// interrupted allocates nothing.
var (
	errWaitClosed      = opError("wait", os.ErrClosed)
	errWaitInterrupted = opError("wait", ErrInterrupted)
	errWaitDeadline    = opError("wait", os.ErrDeadlineExceeded)
	errWaitBusy        = opError("wait", ErrBusy)
	errNotifyClosed    = opError("notify", os.ErrClosed)
	errUnmaskClosed    = opError("unmask", os.ErrClosed)
)
