// SPDX-License-Identifier: Apache-2.0

package debs

import "errors"

// ErrNotOffered says that no package source offers what was looked for. It is
// worth an update of the package lists, or another package source.
var ErrNotOffered = errors.New("not offered by the package sources")

// ErrNeedRoot says that an action needs root and that neither this process nor
// sudo without a password can act as root.
var ErrNeedRoot = errors.New("needs root")

// OpError is an action of this package that failed.
type OpError struct {
	// Op is what was tried, with the package names it was tried on.
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
