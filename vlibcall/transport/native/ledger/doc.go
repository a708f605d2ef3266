// SPDX-License-Identifier: Apache-2.0

// Package ledger is a file in a native domain's directory through which the
// domain's server and the host's master share one account, without a message
// when a call begins or ends. The server writes which reservation it serves,
// and the use of its cgroup at the beginning ([Keeper]). The master writes
// which reservations may be charged, and the use beyond budgets ([Book]). A
// client reads the cost of its last call ([Reader]).
//
// The file is the server's, so everything that the master and clients read from
// it is only a claim. The master lets a server charge at most the time that its
// cgroup has run according to the kernel, and only to reservations that named
// the domain as a callee.
//
// The kernel counts a cgroup's use as a whole. Of several calls under way, that
// which began first pays for all that the cgroup uses; the next one pays from
// the end of that call on.
//
// # The file, revision 1
//
// Words are 64 bits, little-endian, times nanoseconds. S is written by the
// server, M by the master.
//
//	0x0000  S  the bytes "vLedger", 1
//	0x0008  S  sequence: odd while the next two words or a slot change
//	0x0010  S  the reservation that pays for the call under way; 0: none
//	0x0018  S  what the server's cgroup had used when it began to pay
//	0x1000  M  when the permission to pay ends: CLOCK_MONOTONIC
//	0x2000     4096 slots of 64 bytes, one a reservation, by number:
//	  0x00  S  what its calls have used, but the one under way
//	  0x08  S  what the last of them has
//	  0x20  M  1: it may pay
//	  0x28  M  what its calls have used beyond its budget
//	  0x30  M  how often its budget ended in a call
package ledger
