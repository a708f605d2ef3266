// SPDX-License-Identifier: Apache-2.0

// Package ledger is a file in a native domain's directory by which the domain's
// server and the host's master share one account, without a message between them
// when a call begins or ends: the server writes which reservation it serves, and
// what its cgroup had used when it began ([Keeper]); the master writes which
// reservations may pay, and what was beyond budgets ([Book]); a client reads what
// its last call cost ([Reader]).
//
// The file is the server's, so all that the master and clients read of it is
// a claim. The master lets a server charge no more than the kernel says that the
// server's cgroup has run, and only to reservations that named the domain as a callee.
//
// # The file, revision 1
//
// Words are 64 bits, little-endian, times nanoseconds. S is written by the
// server, M by the master.
//
//	0x0000  S  the bytes "vLedger", 1
//	0x0008  S  sequence: odd while the next two words or a slot change
//	0x0010  S  the reservation that pays for the call under way; 0: none
//	0x0018  S  what the server's cgroup had used when that call began
//	0x1000  M  when the permission to pay ends: CLOCK_MONOTONIC
//	0x2000     4096 slots of 64 bytes, one a reservation, by number:
//	  0x00  S  what its calls have used, but the one under way
//	  0x08  S  what the last of them has
//	  0x20  M  1: it may pay
//	  0x28  M  what its calls have used beyond its budget
//	  0x30  M  how often its budget ended in a call
package ledger
