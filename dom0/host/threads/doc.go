// SPDX-License-Identifier: Apache-2.0

// Package threads has threads of this system on reservations, for every host:
// the [keeper] reads by it what they use, makes them real-time or background,
// and restores their policies. They are charged to the host's [keeper.Account].
//
// # Members
//
// A process is put into a cgroup of its own (below [Parent]), which counts its
// time and that of all processes it starts. One thread is read in /proc. While
// there is budget each thread is SCHED_FIFO, by rank of the periods in use;
// without, SCHED_IDLE. A process that they fork begins as an ordinary one
// (reset-on-fork) and is found at the next look; more than [MaxThreads] in one
// reservation stay in background until they are fewer.
//
// # Looks
//
// The keeper looks at a reservation when its budget may be used up: at the
// earliest, if all its threads and callees ran at once. A look visits the CPUs
// where they may run, which makes each account for its running thread. (Reading
// the thread clock of another process, which would do that from afar, is not
// allowed by Linux.) So a reservation with much budget left is looked at
// seldom, one with little every [minLook]. Calls do not wake the keeper.
//
// # The guard
//
// Before a reservation begins, the keeper tells the guard which threads are on it
// and which policies they had. The guard restores those when the lease is over.
package threads
