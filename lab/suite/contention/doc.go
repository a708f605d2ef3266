// SPDX-License-Identifier: Apache-2.0

// Package contention tests, in Dom0 in the lab's contended mode, that the
// modelled memory bus does what a crowded one does (build tag dom0).
package contention
