// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/vlibos/vlibos/bench/command"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/selftest"
	"github.com/vlibos/vlibos/internal/printable"
	"github.com/vlibos/vlibos/internal/unixpath"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// exit is one way in which the command can end. Numbers and kinds are an
// interface: they do not change.
type exit struct {
	code    int
	kind    string // in JSON
	meaning string // in the help
	way     string // what to do, where the error does not say it
}

var (
	exitOK        = exit{0, "ok", "the call was made, and its answer is on standard output", ""}
	exitOther     = exit{1, "other", "any other error", ""}
	exitUsage     = exit{2, "usage", "the command line is wrong", ""}
	exitNoDomain  = exit{3, "no-domain", "no such domain", ""}
	exitNoServer  = exit{4, "no-server", "no vLib OS server in the domain, or it went away during the call", ""}
	exitNoLibrary = exit{5, "no-library", "the vLib OS has no such library", "'vlibmaster services DOMAIN' lists what it serves"}
	exitNoFunc    = exit{6, "no-function", "the library has no such function", ""}
	exitArgument  = exit{7, "argument", "bad signature, or an argument that does not fit it", "'vlibmaster call --help' explains the notation"}
	exitFailed    = exit{8, "failed", "the function, the command that was run, or a part of the self-test failed", ""}
	exitCrashed   = exit{9, "crashed", "the function crashed; the vLib OS lives on", ""}
	exitTimeout   = exit{10, "timeout", "no answer in time", "--timeout allows more"}
	exitDenied    = exit{11, "not-permitted", "not permitted, here or by the server's policy", ""}
	exitTooLarge  = exit{12, "too-large", "the input or output does not fit into the channel", "--size makes it larger"}
	exitProtocol  = exit{13, "protocol", "the vLib OS broke the channel protocol", "if it is of another version, update the older one; else do not trust that domain"}
	exitNoXen     = exit{14, "no-host", "the host is missing or not complete: see 'vlibmaster doctor'", ""}
	exitUnpaid    = exit{15, "reservation", "the reservation cannot pay for the call, or one must and none was named", ""}
	exitNoMaster  = exit{16, "no-master", "no vlibmaster serves this host", ""}
	exitNoRoom    = exit{17, "not-admitted", "the reservation does not fit beside the others", ""}
	exitConfig    = exit{18, "configuration", "the configuration is wrong", ""}
	exitServed    = exit{19, "served", "another vlibmaster serves this host", ""}
	exitInterrupt = exit{130, "interrupted", "interrupted by a signal", ""}
)

// exits in the order of the help.
var exits = []exit{
	exitOK, exitOther, exitUsage, exitNoDomain, exitNoServer, exitNoLibrary, exitNoFunc, exitArgument, exitFailed,
	exitCrashed, exitTimeout, exitDenied, exitTooLarge, exitProtocol, exitNoXen, exitUnpaid, exitNoMaster, exitNoRoom, exitConfig, exitServed,
	exitInterrupt,
}

// verdicts says which exit an error means: the first that matches, so the
// more particular stand before the more general.
var verdicts = []struct {
	err  error
	exit exit
}{
	{context.Canceled, exitInterrupt},
	{errUsage, exitUsage},
	{command.ErrUsage, exitUsage},
	{errArgument, exitArgument},
	{vlibcall.ErrProtocol, exitProtocol},
	{vlibcall.ErrReservation, exitUnpaid}, // also where the module does not know the domain
	{host.ErrNoDomain, exitNoDomain},
	{directory.ErrNoXen, exitNoXen},
	{errIncomplete, exitNoXen},
	{xenctl.ErrNotSupported, exitNoXen},
	{host.ErrNotHere, exitNoXen},
	{config.ErrConfig, exitConfig},
	{api.ErrNoMaster, exitNoMaster},
	{host.ErrNotAdmitted, exitNoRoom},
	{api.ErrNotReserved, exitUnpaid},
	{host.ErrNotAllowed, exitDenied},
	{api.ErrNotAdopted, exitNoDomain},
	{api.ErrControl, exitDenied},
	{master.ErrRunning, exitServed},
	{api.ErrFull, exitNoRoom},
	{host.ErrClass, exitUsage},
	{host.ErrNoMembers, exitNoDomain},
	{rtsched.ErrRange, exitUsage},
	{fs.ErrPermission, exitDenied},
	{unixpath.ErrTooLong, exitUsage},
	{vlibcall.ErrTimeout, exitTimeout},
	{context.DeadlineExceeded, exitTimeout},
	{directory.ErrNoServer, exitNoServer},
	{vlibcall.ErrGone, exitNoServer},
	{vlibcall.ErrNoLibrary, exitNoLibrary},
	{vlibcall.ErrNoFunction, exitNoFunc},
	{vlibcall.ErrSignature, exitArgument},
	{vlibcall.ErrBadRequest, exitArgument},
	{vlibcall.ErrCrashed, exitCrashed},
	{vlibcall.ErrCancelled, exitTimeout},
	{vlibcall.ErrDenied, exitDenied},
	{vlibcall.ErrTooLarge, exitTooLarge},
	{vlibcall.ErrFailed, exitFailed},
	{selftest.ErrFailed, exitFailed},
}

var (
	errUsage    = errors.New("usage")
	errArgument = errors.New("argument")

	// errIncomplete is what doctor ends with when something is missing.
	errIncomplete = errors.New("something is missing")
)

// kindError marks an error as one of the first two without changing its text.
type kindError struct{ kind, err error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

func usagef(format string, args ...any) error {
	return &kindError{errUsage, fmt.Errorf(format, args...)}
}

func argument(err error) error { return &kindError{errArgument, err} }

func exitOf(err error) exit {
	if err == nil {
		return exitOK
	}
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return v.exit
		}
	}
	return exitOther
}

func exitCode(err error) int { return exitOf(err).code }

// message is the one line for standard error. Part of it may come from a
// guest.
func message(err error) string {
	text := "vlibmaster: " + oneLine(err.Error())
	if way := wayOut(err); way != "" {
		text += " (" + way + ")"
	}
	return text
}

func wayOut(err error) string {
	e := exitOf(err)
	var op *vlibcall.OpError
	if errors.As(err, &op) {
		switch {
		case e == exitTooLarge && op.Op == "open":
			return "the server grants no larger channel: make --size, or the input, smaller"
		case e == exitNoLibrary && op.Target == builtin.Library+":"+builtin.Services:
			return "this server lists nothing: it is no vlib-server"
		}
	}
	if errors.Is(err, vlib.ErrAbsent) {
		return "'vlibmaster doctor' says what is missing"
	}
	if e == exitNoXen && errors.Is(err, xenctl.ErrNotSupported) {
		return "no Xen here, or not all of it: --host native, or see 'vlibmaster doctor'"
	}
	return e.way
}

var breaks = strings.NewReplacer("\n", " ", "\t", " ", "\r", " ")

// oneLine keeps line breaks and control characters from the terminal.
func oneLine(s string) string {
	return printable.Line(breaks.Replace(strings.TrimSpace(s)))
}

// exitTable is the section of the help.
func exitTable() string {
	var b strings.Builder
	b.WriteString("EXIT CODES\n")
	for _, e := range exits {
		fmt.Fprintf(&b, "   %-4d %-14s %s\n", e.code, e.kind, e.meaning)
	}
	return b.String()
}
