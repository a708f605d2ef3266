// SPDX-License-Identifier: Apache-2.0

// Package stock keeps budgets on a Xen host whose hypervisor is unmodified.
//
// Xen's schedulers have no sporadic servers, so [keeper] keeps them: it reads
// the CPU time of a domain when its budget may be used up. From then until the
// refill the domain runs only while no other wants its CPU:
//
//   - Under credit2 it has the lowest weight. At the refill it becomes heavy.
//   - Under credit, whose weights act once in 30 ms and for all CPUs together,
//     and under schedulers without weights (null, RTDS, ARINC653), it is paused
//     unless its CPUs are idle; see [spare]. Under credit a domain that waits
//     although it has budget is paused and resumed, which puts it in front.
//
// Domains with budget share a CPU by weight or in turns, not by period. The
// throttle pauses adopted domains without budget.
//
// # Changes to a domain are undone
//
// Weights, and pauses that are ours, are written to the [ledger] before Xen is
// told, so that a guard process undoes exactly those when the daemon does not
// renew its lease, and the next daemon knows what the weight was. A weight that
// an operator sets meanwhile is the domain's from then on: that weight is
// restored. Xen counts pauses: 'xl pause' stays in force whatever is done here.
// A domain is identified by its number while it lives, whatever its handle. A
// decision that depends on the domain's pool, on Dom0's weight or on its own is
// made again with each lease.
//
// # Limits
//
// The end of a budget is noticed by a timer in Dom0, and credit2 does not
// preempt a running domain before its rate limit, 1 ms. Time used too much is
// taken from the budgets to come, so that shares are right in the long run. A
// domain that has used background time under credit2 has less credit, and may
// wait some milliseconds when the budget is there again: with periods below 50
// ms a domain gets less than its budget.
// While a domain has budget it is 19 times as heavy as Dom0, which so gets a
// twentieth of a CPU that both want; it is best to give Dom0 a CPU of its own.
package stock
