// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

var (
	// ErrBroken reports that the connection cannot be used any more.
	ErrBroken = errors.New("connection to xenstored is broken")

	// ErrProtocol reports that xenstored sent a message that violates the
	// protocol.
	ErrProtocol = protocol.ErrFormat

	// ErrConflict reports that a transaction was tried as often as allowed, and
	// that each time another client changed what it had read.
	ErrConflict = errors.New("others kept changing the same nodes")
)

// OpError is the error of every operation of this package. It wraps a
// unix.Errno for a refusal by xenstored, so that errors.Is(err, fs.ErrNotExist)
// and the like work, os.ErrClosed for a closed client or watch, and the
// context's error for a context that ended.
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

// refusal is the error of an Error message.
func refusal(payload []byte) error {
	name, err := protocol.Text(payload)
	if err != nil {
		return err
	}
	if errno, ok := protocol.Errors[name]; ok {
		return errno
	}
	return fmt.Errorf("refused with the unknown error %.64q", name)
}
