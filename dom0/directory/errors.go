// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/vlibos/vlibos/vlibcall"
)

// Why a domain cannot be called, besides host.ErrNoDomain and fs.ErrPermission.
// Test with errors.Is.
var (
	ErrNoServer = errors.New("no vLib OS server there")
	ErrNoXen    = errors.New("no Xen here, or not all of it")
)

// Error says what failed, on what, and what to do about it.
type Error struct {
	Target string // `domain "vlib1"`, `host xen`
	Err    error  // wraps a sentinel, and the cause if there is one
	Hint   string // what to do
}

func (e *Error) Error() string {
	text := e.Target + ": " + e.Err.Error()
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// because is a sentinel with the cause behind it.
type because struct{ sentinel, cause error }

// Error is the sentinel and the first of the causes; there are several where more
// than one way to xenstored was tried. Of a missing server it is the cause alone:
// transports say where they found none.
func (b *because) Error() string {
	first, _, _ := strings.Cut(b.cause.Error(), "\n")
	if b.sentinel == ErrNoServer {
		return first
	}
	return b.sentinel.Error() + " (" + first + ")"
}

func (b *because) Unwrap() []error { return []error{b.sentinel, b.cause} }

// explain turns what a transport reports about opening a channel into this
// package's errors where those say more. noServer is the way out when there is no
// server, denied the one when this process may not open the channel.
func explain(target string, err error, noServer, denied string) error {
	switch {
	case err == nil, errors.Is(err, vlibcall.ErrProtocol):
		return err
	case errors.Is(err, vlibcall.ErrGone):
		return &Error{Target: target, Err: &because{ErrNoServer, err}, Hint: noServer}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Target: target, Err: &because{fs.ErrPermission, err}, Hint: denied}
	case errors.Is(err, fs.ErrNotExist): // a device: transports know nodes and sockets that are missing as ErrGone
		return &Error{Target: target, Err: &because{ErrNoXen, err}, Hint: "vlibmaster doctor says what is missing"}
	}
	return err
}
