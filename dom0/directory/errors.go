// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
)

// What stands between a caller and a domain. Test with errors.Is.
var (
	ErrNoDomain     = errors.New("no such domain")
	ErrNoServer     = errors.New("no vLib OS server there")
	ErrNotPermitted = errors.New("not permitted")
	ErrNoXen        = errors.New("no Xen here, or not all of it")
)

// Error says what failed, on what, and what to do about it.
type Error struct {
	Target string // `domain "vlib1"`, `host xen`
	Err    error  // wraps one of the sentinels, and the cause if there is one
	Way    string // the way out
}

func (e *Error) Error() string {
	text := e.Target + ": " + e.Err.Error()
	if e.Way != "" {
		text += ": " + e.Way
	}
	return text
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// because is a sentinel of this package with the cause behind it.
type because struct{ sentinel, cause error }

// Error is the sentinel and the first of the causes; they are several where
// more than one way to xenstored was tried. That nobody listens, transports
// say themselves, and where.
func (b *because) Error() string {
	first, _, _ := strings.Cut(b.cause.Error(), "\n")
	if b.sentinel == ErrNoServer {
		return first
	}
	return b.sentinel.Error() + " (" + first + ")"
}

func (b *because) Unwrap() []error { return []error{b.sentinel, b.cause} }

// explain turns what a transport reports about opening a channel into this
// package's errors where those say more. noServer is the way out when nobody
// listens, denied the one when this process may not.
func explain(target string, err error, noServer, denied string) error {
	switch {
	case err == nil, errors.Is(err, vlibcall.ErrProtocol):
		return err
	case errors.Is(err, vlibcall.ErrGone):
		return &Error{Target: target, Err: &because{ErrNoServer, err}, Way: noServer}
	case notPermitted(err):
		return &Error{Target: target, Err: &because{ErrNotPermitted, err}, Way: denied}
	case errors.Is(err, fs.ErrNotExist): // a device: transports know nodes and sockets that are missing as ErrGone
		return &Error{Target: target, Err: &because{ErrNoXen, err}, Way: "vlibmaster doctor says what is missing"}
	}
	return err
}

func notPermitted(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, xenctl.ErrNotPermitted)
}
