// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/domu-server/ffi"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/signature"
)

// library is the library of this process. The first call loads it, so that a
// crash in one of its constructors is a failure of that call.
type library struct {
	name    string
	loaded  *ffi.Library
	request signature.Request
}

// serve calls the function that c names. A library that does not exist is reported
// before what is wrong with the input. The result is written into c's output,
// without a copy unless it is small.
func (l *library) serve(c *vlibcall.Call) error {
	if l.loaded == nil {
		loaded, err := ffi.Open(l.name)
		if err != nil {
			return verdict(err)
		}
		l.loaded = loaded
	}
	if err := l.request.Decode(c.Input()); err != nil {
		if malformed := (*signature.FormatError)(nil); errors.As(err, &malformed) {
			err = fmt.Errorf("%s is a C library: its functions need a signature (Domain.CallC, or --sig): %w", l.name, err)
		}
		return verdict(err)
	}
	room, err := c.Reserve(c.Room())
	if err != nil {
		return err
	}
	n, err := l.loaded.Call(c.Function(), &l.request, room)
	if err != nil {
		return verdict(err)
	}
	return c.Reply(room[:n])
}

// statuses maps errors to the statuses that the channel carries.
var statuses = map[error]vlibcall.Status{
	ffi.ErrNoLibrary:  vlibcall.StatusNoLibrary,
	ffi.ErrNoFunction: vlibcall.StatusNoFunction,
	ffi.ErrArguments:  vlibcall.StatusBadRequest,
	ffi.ErrTooLarge:   vlibcall.StatusTooLarge,
}

func verdict(err error) error {
	var failed *ffi.Error
	var syntax *signature.SyntaxError
	switch {
	case errors.As(err, &failed):
		return &vlibcall.StatusError{Status: statuses[failed.Kind], Detail: failed.Text}
	case errors.As(err, &syntax):
		return &vlibcall.StatusError{Status: vlibcall.StatusSignature, Detail: err.Error()}
	}
	return &vlibcall.StatusError{Status: vlibcall.StatusBadRequest, Detail: err.Error()}
}
