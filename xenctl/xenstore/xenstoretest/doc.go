// SPDX-License-Identifier: Apache-2.0

// Package xenstoretest is a xenstored for tests: a daemon within the test's
// process, on a unix socket, with nodes, watches, transactions and permissions.
// It stores permissions but does not enforce them: every client is Dom0. It is
// for tests of the xenstore client, and of programs that communicate through
// xenstore, on machines without Xen.
//
// A test can replace the daemon's handling of single requests, to be slow, to
// send invalid answers or to die: see [Server.Intercept]. Tests of real daemons
// run in the lab.
package xenstoretest
