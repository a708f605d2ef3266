// SPDX-License-Identifier: Apache-2.0

// Package selftest tries a host before an operator trusts it: whether budgets are
// kept, how late timers are, how long a call takes, whether counters count. It is
// 'vlibmaster selftest'.
//
// Each [Part] makes its own throw-away domains, of the host's kernel or cgroups, and
// its own master, and compares what they did with what the hypervisor or the kernel
// counted. It touches no other domain. All that is to be undone is written to a plan
// before it is made; this process carries the plan out at its end, and a guard
// process does if it dies.
package selftest
