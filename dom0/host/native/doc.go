// SPDX-License-Identifier: Apache-2.0

// Package native is the host of a Linux machine without Xen: a domain is a
// cgroup of ordinary processes below one parent cgroup ([Options.Parent]). It
// is for trying vLibOS out, for tests, and for measurements that need real time
// and real caches.
//
// It does not isolate as a hypervisor does: processes share a kernel, and those
// of root can leave their cgroup or take a real-time policy. Other processes
// hurt only themselves, however much they fork.
//
// # Budgets
//
// The kernel has no sporadic servers, so [keeper] keeps them: it reads the CPU
// time of a domain when its budget may be used up, and then makes the cgroup
// idle (cpu.idle): it runs only when no other cgroup wants the CPU. At the
// refill the keeper gives the cgroup the highest weight. Domains with budget
// share a CPU equally, not by period.
//
// Before Linux 6.6 a cgroup that ran as an idle one has to make up for that
// time before its weight counts. There the threads of a domain with budget are
// real-time threads instead, at a priority by its period. A scheduling policy
// that such a thread had before is lost. Where the kernel shares real-time
// among cgroups of version 1 (CONFIG_RT_GROUP_SCHED) weights are used all the
// same, and budgets come late.
//
// Threads of this system on reservations, and reservations that pay for calls
// alone, are charged for the domains that they call by the ledgers of these
// domains. A called domain is foreground or idle by the reservation whose call
// it serves.
//
// A domain that sleeps with a smaller budget and wakes up can run in foreground for
// 5 ms, or for a hundredth of its period if that is longer, before that is noticed.
// It pays for it out of the budgets to come.
//
// Weights count among siblings only. So while they are used the parent is 19
// times as heavy as a task outside it: one busy task outside gets the floor of
// a twentieth; several get more, and then budgets come later. Real-time threads
// leave the twentieth that the kernel reserves for others
// (sched_rt_runtime_us).
//
// The keeper needs CAP_SYS_NICE to be a real-time thread. Without it, the
// keeper may be late by the time slices of the domains it keeps, and its
// readings by a tick. A program sets GOMAXPROCS to at least 4, so that the Go
// runtime has a processor (P) free when the keeper wakes.
//
// # Changes to a domain are undone
//
// The settings of a cgroup are recorded in an attribute of its weight file
// before they are changed; an attribute of the freezer's file records that the
// cgroup was stopped here. So guards and later processes undo exactly these
// changes. See [cgroup.Attribute].
//
// # Both versions of cgroups
//
// Everything is taken from version 2 if that has the CPU controller, else from
// version 1; freezing and usage of version 2 fill in where version 1 does not
// have them, as they need no controller there.
package native
