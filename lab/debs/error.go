// SPDX-License-Identifier: Apache-2.0

package debs

import "errors"

// ErrNotOffered says that no package source offers the package. Updated package lists, or
// another package source, may help.
var ErrNotOffered = errors.New("not offered by the package sources")

// ErrNeedRoot says that an action needs root, and that this process is neither root nor
// can use sudo without a password.
var ErrNeedRoot = errors.New("needs root")

// OpError is a failed action of this package.
type OpError struct {
	// Op is the action, with the names of its packages.
	Op  string
	Err error
}

func (e *OpError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Err: err}
}
