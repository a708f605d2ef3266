// SPDX-License-Identifier: Apache-2.0

// Package gateway lets tools of users other than root call. For each vLib OS
// that a rule names (package policy) it serves a unix socket with the channel
// protocol, and forwards the calls over a channel of its own. The rules decide
// on each call, by the peer's credentials from the kernel.
//
// The calls of one socket are made one after the other, in the order of arrival, as
// the vLib OS serves them. A call that hangs costs its caller the rule's timeout, and
// delays the calls behind it by as much.
//
// The gateway does not interpret calls, and budgets are the master's.
package gateway
