// SPDX-License-Identifier: Apache-2.0

// Package transport is what carries calls: the memory of a channel, an event
// each way, and the layout of the memory's first page. It is for authors of
// transports; callers and servers use package vlibcall, which does the rest.
//
// A transport implements [Dialer] and [ClientEndpoint] on the caller's side,
// [Listener] and [ServerEndpoint] on the server's. Its server's side writes
// [Format] into fresh memory before it offers a channel; its client's side
// checks that the memory is what it asked for and that the peer cannot take it
// away. Everything else in the memory belongs to package vlibcall.
//
// Packages xen, native and memory below are the transports that there are;
// package conformance checks that one carries calls as vlibcall promises them.
//
// # Errors
//
// A transport returns errors that match vlibcall.ErrGone (there is no peer),
// vlibcall.ErrTimeout (the peer does not answer), vlibcall.ErrProtocol (the
// peer passed something invalid), vlibcall.ErrReservation (the reservation
// cannot be charged), os.ErrClosed (this side has closed) and
// os.ErrDeadlineExceeded where the methods below say so.
package transport
