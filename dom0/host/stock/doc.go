// SPDX-License-Identifier: Apache-2.0

// Package stock keeps budgets on a Xen host whose hypervisor is unmodified.
//
// Xen's schedulers have no sporadic servers, so [keeper] keeps them: it reads
// what a domain has used when its budget can be gone, and then gives it the
// lowest weight there is, which leaves it the time that no other wants; at the
// refill it makes it heavy. Under a scheduler
// without weights (null, RTDS, ARINC653) a domain is paused instead, and has
// no leftover time. Domains with budget share a CPU by weight, not by period.
//
// # What is done to a domain is undone
//
// Weights, and pauses that are ours, stand in the [ledger] before Xen is told,
// so that a guard process gives back exactly that when the daemon does not
// renew its lease, and the next daemon knows what the weight was. A weight that
// an operator sets meanwhile is the domain's from then on: it is what is given
// back. Xen counts pauses: 'xl pause' stays in force whatever is done
// here. A domain is its number for as long as it lives, whatever its handle. What
// was decided from its pool, from Dom0's weight or from its own is decided again
// with each lease.
//
// # Limits
//
// The end of a budget is noticed by a timer in Dom0, and credit2 leaves what
// runs on the CPU for its rate limit, 1 ms. What is used too much is taken from
// the budgets to come, so that shares are right in the long run. A domain that
// has used background time under credit2 owes for it, and may wait some
// milliseconds when the budget is there again: periods below 50 ms are not kept well.
// While a domain has budget it is 19 times as heavy as Dom0, which so keeps a
// twentieth of a CPU that both want; it is best to give Dom0 a CPU of its own.
package stock
