// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/wire"
)

var (
	// ErrBroken says that the connection is of no further use.
	ErrBroken = errors.New("connection to xenstored is broken")

	// ErrProtocol says that xenstored sent what the protocol does not allow.
	ErrProtocol = wire.ErrFormat

	// ErrConflict says that a transaction was tried as often as it may be, and
	// each time someone else changed what it had read.
	ErrConflict = errors.New("others kept changing the same nodes")
)

// OpError is the error of every operation of this package. What xenstored
// refuses is a unix.Errno inside, so that errors.Is(err, fs.ErrNotExist) and
// the like work; a closed client or watch is os.ErrClosed; a context that ended
// is its own error.
type OpError struct {
	// Op is the operation, for example "read".
	Op string
	// Path is the node; empty where there is none.
	Path string
	// Err is the reason.
	Err error
}

func (e *OpError) Error() string {
	if e.Path == "" {
		return "xenstore: " + e.Op + ": " + e.Err.Error()
	}
	return "xenstore: " + e.Op + " " + e.Path + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

func opError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Path: path, Err: err}
}

// refusal is the error that an Error message carries.
func refusal(payload []byte) error {
	name, err := wire.Text(payload)
	if err != nil {
		return err
	}
	if errno, ok := wire.Errors[name]; ok {
		return errno
	}
	return fmt.Errorf("refused with the unknown error %.64q", name)
}
