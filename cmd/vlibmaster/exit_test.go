// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/unixpath"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/signature"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// The numbers are what scripts rely on.
func TestExitCodes(t *testing.T) {
	status := func(s vlibcall.Status) error { return &vlibcall.StatusError{Status: s} }
	gone := &directory.Error{Target: "domain 1", Err: errors.Join(directory.ErrNoServer, vlibcall.ErrGone)}
	late := fmt.Errorf("%w (%w)", vlibcall.ErrTimeout, context.DeadlineExceeded)
	stopped := fmt.Errorf("%w (%w)", vlibcall.ErrTimeout, context.Canceled)
	syntax := func() error { _, err := signature.Parse("x"); return argument(err) }()
	for _, tt := range []struct {
		err  error
		code int
		kind string
	}{
		{nil, 0, "ok"},
		{errors.New("disk full"), 1, "other"},
		{os.ErrClosed, 1, "other"},
		{usagef("no"), 2, "usage"},
		{&directory.Error{Err: host.ErrNoDomain}, 3, "no-domain"},
		{gone, 4, "no-server"},
		{vlibcall.ErrGone, 4, "no-server"},
		{status(vlibcall.StatusNoLibrary), 5, "no-library"},
		{status(vlibcall.StatusNoFunction), 6, "no-function"},
		{syntax, 7, "argument"},
		{status(vlibcall.StatusSignature), 7, "argument"},
		{status(vlibcall.StatusBadRequest), 7, "argument"},
		{status(vlibcall.StatusFailed), 8, "failed"},
		{status(vlibcall.StatusCrashed), 9, "crashed"},
		{late, 10, "timeout"},
		{context.DeadlineExceeded, 10, "timeout"},
		{status(vlibcall.StatusCancelled), 10, "timeout"},
		{&directory.Error{Err: fs.ErrPermission}, 11, "not-permitted"},
		{status(vlibcall.StatusDenied), 11, "not-permitted"},
		{vlibcall.ErrTooLarge, 12, "too-large"},
		{status(vlibcall.StatusTooLarge), 12, "too-large"},
		{vlibcall.ErrProtocol, 13, "protocol"},
		{protocolViolation(status(vlibcall.StatusNoLibrary)), 13, "protocol"},
		{&directory.Error{Err: directory.ErrNoXen}, 14, "no-host"},
		{errIncomplete, 14, "no-host"},
		{&xenctl.OpError{Op: "open", Err: xenctl.ErrNotSupported}, 14, "no-host"},
		{stopped, 130, "interrupted"},
		{fs.ErrPermission, 11, "not-permitted"},
		{os.NewSyscallError("mkdir", unix.EACCES), 11, "not-permitted"},
		{&config.Error{File: "f", Err: fs.ErrPermission}, 18, "configuration"},
		{unixpath.ErrTooLong, 2, "usage"},
		{host.ErrClass, 2, "usage"},
		{api.ErrFull, 17, "not-admitted"},
		{host.ErrNoMembers, 3, "no-domain"},
	} {
		err := tt.err
		if err != nil {
			err = fmt.Errorf("around: %w", err)
		}
		if e := exitOf(err); e.code != tt.code || e.kind != tt.kind {
			t.Errorf("%v: %d %s, want %d %s", err, e.code, e.kind, tt.code, tt.kind)
		}
	}
}

// The doctor is a way out only where the host is not complete.
func TestWayOutFitsTheCause(t *testing.T) {
	for _, tt := range []struct {
		err error
		way string
	}{
		{fmt.Errorf("%w: 7: no vlibmaster", vlibcall.ErrReservation), ""},
		{fmt.Errorf("%w: 7: %w", vlibcall.ErrReservation, vlib.ErrAbsent), "'vlibmaster doctor' says what is missing"},
		{api.ErrNotReserved, ""},
		{&xenctl.OpError{Op: "open", Err: xenctl.ErrNotSupported}, "no Xen here, or not all of it: --host native, or see 'vlibmaster doctor'"},
	} {
		if got := wayOut(tt.err); got != tt.way {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.way)
		}
	}
}

func TestExitTable(t *testing.T) {
	seen := map[int]bool{}
	table := exitTable()
	for _, e := range exits {
		if seen[e.code] {
			t.Errorf("%d stands for two things", e.code)
		}
		seen[e.code] = true
		if !strings.Contains(table, fmt.Sprintf("\n   %-4d %s", e.code, e.kind)) {
			t.Errorf("the help does not explain %d", e.code)
		}
	}
	for _, v := range verdicts {
		if !seen[v.exit.code] {
			t.Errorf("%v ends with %d, which is not in the table", v.err, v.exit.code)
		}
	}
}

func TestMessageIsOneHarmlessLine(t *testing.T) {
	got := message(&vlibcall.StatusError{Status: vlibcall.StatusFailed, Detail: "a\r\nb\x1b[2J\tc\u202e\n"})
	if want := "vlibmaster: a  b�[2J c�"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A way out is not the command that has just failed.
func TestServicesIsNoWayOutOfItself(t *testing.T) {
	missing := &vlibcall.StatusError{Status: vlibcall.StatusNoLibrary, Detail: "vlib"}
	for function, want := range map[string]string{
		"services": "(this server lists nothing: it is no vlib-server)",
		"echo":     "('vlibmaster services DOMAIN' lists what it serves)",
	} {
		if got := message(&vlibcall.OpError{Op: "call", Target: "vlib:" + function, Err: missing}); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, want …%s", function, got, want)
		}
	}
}
