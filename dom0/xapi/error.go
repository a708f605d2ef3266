// SPDX-License-Identifier: Apache-2.0

package xapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/vlibos/vlibos/internal/printable"
)

// Name is the name of an error of XAPI. It is itself an error, so that errors.Is
// finds it in an [Error]; JSON-RPC's code is 1 for all of them.
type Name string

func (n Name) Error() string { return string(n) }

// The errors that this package or its callers tell apart.
const (
	HandleInvalid  Name = "HANDLE_INVALID"    // the object is gone
	SessionInvalid Name = "SESSION_INVALID"   // it has expired, or another coordinator made it
	DuplicateKey   Name = "MAP_DUPLICATE_KEY" // another client was faster
	HostIsSlave    Name = "HOST_IS_SLAVE"     // over TLS, a pool member sends callers to its coordinator
)

// Error is an error that XAPI returned.
type Error struct {
	Name   Name
	Params []string // for HandleInvalid the class and the reference, for example
}

func (e *Error) Error() string {
	text := string(e.Name)
	if len(e.Params) > 0 {
		text += " (" + strings.Join(e.Params, ", ") + ")"
	}
	if e.Name == HostIsSlave {
		text += ": connect to the coordinator"
	}
	return printable.Line(fmt.Sprintf("XAPI: %.300s", text))
}

// Unwrap returns the name.
func (e *Error) Unwrap() error { return e.Name }

// OpError is a call that failed.
type OpError struct {
	Op  string // the method
	Err error
}

func (e *OpError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

// Errors of answers that are no answers of XAPI.
var (
	ErrTooLarge = errors.New("the answer is too large")
	ErrAnswer   = errors.New("this is no answer of XAPI")
)

// plain leaves out the address that package http adds, which is none for a
// socket.
func plain(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}
