// SPDX-License-Identifier: Apache-2.0

// Package policy says who may call what through the master's sockets, and what
// becomes of a vLib OS that does not come back from a call. It is pure: users
// are numbers by now, time is an argument.
package policy
