// SPDX-License-Identifier: Apache-2.0

// Package master owns the CPU time of a host. It decides which reservations
// exist, which domains and threads hold them, and whether another one fits. The
// host enforces the budgets.
//
// All reservations are entries of one table, whatever holds them. An entry that
// cannot be in force, because its domain does not run or because it does not
// fit on its domain's CPUs, remains an entry with a reason, and is tried again
// at every review. The table is saved in one file, from which the next master
// reads it.
package master
