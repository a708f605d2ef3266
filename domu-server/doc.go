// SPDX-License-Identifier: Apache-2.0

// Package domuserver is what runs in a vLib OS: it answers the calls that
// arrive over a transport.Listener with functions of its own, with functions
// that a Go program adds, and with functions of the shared libraries of the
// guest.
//
// It is for cmd/vlib-server, and for a program that wants to be a vLib OS
// with functions in Go: see the example of [Server.Handle]. It is not for
// Dom0; what both ends share is in packages vlibcall, signature and builtin.
//
// # Libraries
//
// A library that no Go handler was registered for is loaded in a worker, a
// process of its own, cmd/vlib-worker, because a library can crash, exit,
// hang or overwrite its process:
//
//	client ──channel──▶ Server ──channel over a socket pair──▶ worker ──▶ library
//
// The request and the result are copied once each on the way, from channel to
// channel. When the worker dies, the call that it was serving ends with
// StatusCrashed and the reason; when the call is cancelled or its time is
// over, the worker is killed. The next call of that library starts a new
// worker, so what the library kept in its memory is lost then, and only then.
//
// A function may fork. Its child is not the worker: it has not the page of the
// channel by which calls are answered, and ends where the function would return.
// A child that stays in the library goes on until the worker ends, and with
// [Options.Sole] ends with it also if it has become a daemon.
//
// Workers that are idle are kept, [Options.MaxWorkers] of them, and among
// them at most 64 MiB of channel memory that was touched by large calls; the
// one that was used least recently goes first. A worker takes about 5 MiB of
// memory, and starting one takes some milliseconds. Its channel is 64 MiB of
// address space, of which memory is used only for what calls have touched.
//
// # Trust
//
// Dom0, whose calls arrive here, owns the guest. The server still checks all
// lengths, and its bounds on time, output and libraries keep a mistake of one
// client from becoming everybody's. The library in a worker is trusted less
// than that: it can corrupt what the server reads from the worker's channel,
// which vlibcall checks as it does for any client, but it runs with the
// server's user and could do harm as any program of the guest could.
package domuserver
