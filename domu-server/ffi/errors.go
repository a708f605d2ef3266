// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"errors"
	"fmt"
)

// Reasons why a function could not be called, or its result not returned.
var (
	ErrNoLibrary  = errors.New("no such library")
	ErrNoFunction = errors.New("no such function")
	ErrArguments  = errors.New("arguments that do not fit the signature")
	ErrTooLarge   = errors.New("result too large")
)

// Error is the error of every operation of this package.
type Error struct {
	Kind error  // one of the above
	Text string // what and why
}

func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Text }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

func failure(kind error, format string, args ...any) error {
	return &Error{kind, fmt.Sprintf(format, args...)}
}
