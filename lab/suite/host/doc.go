// SPDX-License-Identifier: Apache-2.0

// Package host is Dom0's side of the lab's suites: the module, the toolstack's
// programs, xenstored, and calls into a DomU. What a test opens is closed when
// the test ends.
//
// It is for tests in the lab's Dom0, whose DomUs run vlib-server and are named
// vlib1, vlib2 and so on.
package host
