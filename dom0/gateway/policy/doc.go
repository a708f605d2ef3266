// SPDX-License-Identifier: Apache-2.0

// Package policy decides which users may call which functions through the master's
// sockets, and when a vLib OS that does not come back from a call is restarted. It is
// pure: users are numbers, time is an argument.
package policy
