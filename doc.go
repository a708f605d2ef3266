// SPDX-License-Identifier: Apache-2.0

// Package vlibos calls functions that live in another domain: of a shared library
// there, or of a server that registers its own. It is for tools in Dom0, for users
// whom the master's rules allow it, and for servers in a guest; without Xen it
// calls between processes.
//
//	domain, err := vlibos.Open(ctx, "web")
//	if err != nil {
//		return err
//	}
//	defer domain.Close()
//	cos, err := domain.CallC(ctx, "libm.so.6", "cos", "f64(f64)", 0.5)
//
// [Open] finds a domain by its name, number or UUID, and opens a channel to its
// vLib OS server. [Domain.CallC] calls a C function, [Domain.Call] a function of
// the server; [Domain.Go] and [Domain.Session] are calls that do not block, and
// many calls of one function; [Domain.Batch] makes several calls at once. [Options]
// change the defaults.
//
// [Reserve] asks the host's master for a budget of CPU time, from which the calls
// are paid. [NewServer] makes the other side: functions of one's own.
//
// # Errors
//
// Test with errors.Is. A call whose time is over returns context.DeadlineExceeded. A
// call on a domain that was closed returns os.ErrClosed. What the user may not do
// returns fs.ErrPermission. A domain that does not exist is host.ErrNoDomain of package
// dom0/host; a domain without a server is directory.ErrNoServer of dom0/directory.
// Package vlibcall has the errors of a call itself: no such function, crashed, gone,
// too large.
//
// # What it is not for
//
// Calls without an allocation, what a call cost, and transports of one's own are in
// package vlibcall: [Domain.Channel] leads there. The package does not contain the
// master, and starts no domain.
package vlibos
