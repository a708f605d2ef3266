// SPDX-License-Identifier: Apache-2.0

// Package xenstore is a client of xenstored, the tree of small values through
// which Xen's domains and their control programs find each other. It is for
// Dom0 and for guests: it speaks to the daemon's socket where there is one and
// to the kernel's /dev/xen/xenbus otherwise.
//
// A path that does not begin with a slash is relative to this domain's home,
// /local/domain/<id>. What a guest may write there, another domain's user can:
// values are hostile input.
//
// One [Client] is one connection; any number of goroutines use it at once. On
// the socket their requests do not wait for each other's answers; the kernel's
// device takes one at a time. A request ends with its
// context. What was already sent may then still happen in the store; nothing is
// left behind in the daemon: a transaction or watch whose creation was given up
// is taken back when the late answer arrives.
//
// When the connection breaks, because the daemon died or sent what is no
// answer, every user of it gets [ErrBroken], at once and from then on. There is
// no reconnection: transactions and watches are gone with the connection, and
// their owner has to know.
//
// It is not a daemon (package xenstoretest has one for tests), and neither
// caches nor interprets values.
package xenstore
