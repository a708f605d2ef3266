// SPDX-License-Identifier: Apache-2.0

// Package model reads the memory counters of the lab's contended mode
// (docs/contended.md): what an uncore PMU would count, of a memory bus that the
// emulator models, per CPU.
//
// It is for the throttle and for experiments that run in the lab. On hardware
// there is no such device, and [Open] says so.
package model
