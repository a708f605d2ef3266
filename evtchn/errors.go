// SPDX-License-Identifier: Apache-2.0

package evtchn

import (
	"errors"
	"os"
)

var (
	// ErrInterrupted is returned by a wait that [Handle.Interrupt] ended.
	ErrInterrupted = errors.New("interrupted")

	// ErrBusy is returned by a wait while another goroutine waits on the same
	// handle.
	ErrBusy = errors.New("another wait is in progress on this handle")
)

// OpError is the error of every operation of a [Handle]. It wraps
// [os.ErrClosed] for a closed handle, [os.ErrDeadlineExceeded] for an expired
// deadline, and a [golang.org/x/sys/unix.Errno] for a refusal by the kernel or
// Xen.
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

// The results of the hot path are allocated once, so that a wait that times out
// or is interrupted allocates nothing.
var (
	errWaitClosed      = opError("wait", os.ErrClosed)
	errWaitInterrupted = opError("wait", ErrInterrupted)
	errWaitDeadline    = opError("wait", os.ErrDeadlineExceeded)
	errWaitBusy        = opError("wait", ErrBusy)
	errNotifyClosed    = opError("notify", os.ErrClosed)
	errUnmaskClosed    = opError("unmask", os.ErrClosed)
)
