// SPDX-License-Identifier: Apache-2.0

// Package gateway lets unprivileged tools call: for each vLib OS that a rule
// names (package policy) it is a server on a unix socket, by the channel
// protocol itself, and calls on over a channel of its own. Who may call what is
// decided for each call, by what the kernel says of who connected.
//
// Calls of one socket are made one after the other, in the order in which they
// came, as the vLib OS serves them. What hangs costs its caller the timeout of
// the rule, and others their place in the queue, nothing else.
//
// It does not interpret calls, keeps no budget, and knows no host.
package gateway
