// SPDX-License-Identifier: Apache-2.0

// Package keeper keeps budgets on hosts whose scheduler does not, and those of
// Dom0's threads on all hosts. It has one thread with a heap of the looks that
// are due ([Keeper]), one account that infers use from readings
// ([SporadicAccount]), and one guard process beside the daemon ([Guard]) that
// undoes the daemon's changes when the daemon does not renew its lease
// ([Lease]).
//
// A host supplies a [Subject] for each reservation: how to read the time used,
// how to make it foreground or background, and how to restore it.
//
// # The thread
//
// It runs before all else by SCHED_DEADLINE, for 0.9 ms in every 2, and yet
// gives way to the Go runtime's own work. Where it may not have a deadline (a
// cpuset of a part of the CPUs) it is SCHED_FIFO. Beside it is an [assistant],
// which runs no Go code: it visits CPUs, and ends foreground when the keeper is
// late.
package keeper
