// SPDX-License-Identifier: Apache-2.0

// Package keeper keeps budgets on hosts whose scheduler does not, and those of
// Dom0's threads on all: one thread with a heap of what is due ([Keeper]), one
// account that infers use from readings ([SporadicAccount]), and one guard
// process beside the daemon ([Guard]) that undoes what was done when the daemon
// does not renew its lease ([Lease]).
//
// A host supplies a [Subject] for each reservation: how to read what it has used,
// how to make it foreground or background, and how to give it back what it had.
//
// # The thread
//
// It goes before all else by SCHED_DEADLINE, for 0.9 ms in every 2, and yet gives
// way to what the Go runtime has to do. Where it may not have a deadline (a cpuset
// of a part of the CPUs) it is SCHED_FIFO. Beside it is an [assistant], which runs
// no Go code: it visits CPUs, and has the process catch up when the keeper is late.
package keeper
