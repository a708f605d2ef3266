// SPDX-License-Identifier: Apache-2.0

// Package master owns the CPU time of a host: it decides which reservations there
// are, who may hold one, and whether one more fits. The host keeps the budgets.
//
// All reservations are entries of one table, whatever holds them. An entry that
// cannot be had, because its domain does not run or because it does not fit where
// its domain is, stays an entry with a reason, and is tried again at every review.
// The table is written to one file, from which the next master takes it.
package master
