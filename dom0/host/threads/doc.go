// SPDX-License-Identifier: Apache-2.0

// Package threads keeps threads of this system on reservations, for every
// host: it measures what they use, charges it to an [Account] that the
// host keeps, and makes them real-time or background by what is left there.
//
// # Who is meant
//
// A process is put into a cgroup of its own (below [Parent]), which counts its
// time and that of all that it starts. One thread is read in /proc. While there
// is budget each thread is SCHED_FIFO, by rank of the periods that there are;
// without, SCHED_IDLE. What they fork begins as an ordinary process
// (reset-on-fork) and is found at the next look; more than [MaxThreads] in one
// reservation stay in background until they are fewer.
//
// # How it looks
//
// One real-time thread, the keeper, looks at a reservation when its budget can
// be gone: at the earliest, if all its threads and callees ran at once. A
// look makes the CPUs where they may be account for what runs there, by going
// there. (Reading another process's thread clock, which would do that from
// afar, is what Linux does not allow.) So a reservation with much budget is
// looked at seldom, one that is nearly gone every [minLook]. Calls wake nobody.
//
// A reservation may have no threads, and pay for calls alone: it
// ends when it is told to, and is looked at more seldom while it pays for none.
//
// # When it is dead
//
// A guard process makes all threads ordinary again when the lease is over.
package threads
