// SPDX-License-Identifier: Apache-2.0

// Package domuserver is the server in a vLib OS. It answers the calls that
// arrive over a transport.Listener with built-in functions, with functions that
// a Go program adds, and with functions of the guest's shared libraries.
//
// It is for cmd/vlib-server, and for a program that provides functions in Go:
// see the example of [Server.Handle]. It is not for Dom0. Packages vlibcall,
// signature and builtin have what both ends share.
//
// # Libraries
//
// A library without a registered Go handler is loaded in a worker, a process of
// its own, cmd/vlib-worker, because a library can crash, exit, hang or
// overwrite its process:
//
//	client ──channel──▶ Server ──channel over a socket pair──▶ worker ──▶ library
//
// Request and result are copied once each on the way, from channel to channel.
// When the worker dies, the call that it was serving ends with StatusCrashed
// and the reason. When the call is cancelled or its time is over, the worker is
// killed. The next call of that library starts a new worker; only then is the
// library's state lost.
//
// A function may fork. Its child is not the worker: it does not have the page
// of the channel by which calls are answered, and ends where the function would
// return. A child that stays in the library runs until the worker ends. With
// [Options.Sole] it ends with the worker even if it has become a daemon.
//
// [Options.MaxWorkers] idle workers are kept, and for all of them at most 64
// MiB of channel memory that large calls have touched; the least recently used
// one is stopped first. A worker takes about 5 MiB of memory and some
// milliseconds to start. Its channel is 64 MiB of address space, of which only
// the part that calls have touched uses memory.
//
// # Trust
//
// Dom0, which makes the calls, owns the guest. The server still checks all
// lengths, and its limits on time, output and libraries prevent a mistake of
// one client from affecting the others. A library in a worker is trusted less.
// It can corrupt the data that the server reads from the worker's channel,
// which vlibcall checks as it does for any client. But it runs as the server's
// user and could do the same harm as any program in the guest.
package domuserver
