// SPDX-License-Identifier: Apache-2.0

// Package xenstoretest is a xenstored for tests: a daemon within the test's
// process, on a unix socket, with nodes, watches, transactions and permissions
// that are kept (and not enforced: every client is Dom0). It is for tests of
// the xenstore client and of programs that meet through xenstore, on machines
// without Xen.
//
// A test can put itself in the daemon's place for single requests, to be slow,
// to answer nonsense or to die: see [Server.Intercept]. What real daemons do is
// asked of a real one, in the lab.
package xenstoretest
