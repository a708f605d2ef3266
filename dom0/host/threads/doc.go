// SPDX-License-Identifier: Apache-2.0

// Package threads has threads of this system on reservations, for every host:
// it is how the [keeper] reads what they use, makes them real-time or background,
// and gives them back what they were. Where they are charged is the host's
// [keeper.Account].
//
// # Members
//
// A process is put into a cgroup of its own (below [Parent]), which counts its
// time and that of all that it starts. One thread is read in /proc. While there
// is budget each thread is SCHED_FIFO, by rank of the periods that there are;
// without, SCHED_IDLE. What they fork begins as an ordinary process
// (reset-on-fork) and is found at the next look; more than [MaxThreads] in one
// reservation stay in background until they are fewer.
//
// # Looks
//
// The keeper looks at a reservation when its budget can be gone: at the
// earliest, if all its threads and callees ran at once. A look makes the CPUs
// where they may be account for what runs there, by going there. (Reading another
// process's thread clock, which would do that from afar, is what Linux does not
// allow.) So a reservation with much budget is looked at seldom, one that is
// nearly gone every [minLook]. Calls do not wake the keeper.
//
// # The guard
//
// It is told before a reservation begins which threads are on it and what their
// policies were, and gives them those back when the lease is over.
package threads
