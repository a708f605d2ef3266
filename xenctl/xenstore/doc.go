// SPDX-License-Identifier: Apache-2.0

// Package xenstore is a client of xenstored, the tree of small values through
// which Xen's domains and their control programs find each other. It is for
// Dom0 and for guests: it uses the daemon's socket where there is one, and the
// kernel's /dev/xen/xenbus otherwise.
//
// A path that does not begin with a slash is relative to this domain's home,
// /local/domain/<id>. A user of the other domain can write where a guest may:
// values are hostile input.
//
// One [Client] is one connection, for any number of goroutines. On the socket
// their requests do not wait for each other's answers; the kernel's device
// takes one at a time. A request ends with its context. A request that was
// already sent may still take effect in the store. It leaves nothing behind in
// the daemon: when the late answer to an abandoned transaction or watch
// arrives, it is undone.
//
// When the connection breaks, because the daemon died or sent an invalid
// answer, all users get [ErrBroken], from then on. There is no reconnection:
// transactions and watches end with the connection, and their owner has to
// know.
//
// It is not a daemon (package xenstoretest has one for tests), and neither
// caches nor interprets values.
package xenstore
