// SPDX-License-Identifier: Apache-2.0

// Package model reads the memory counters of the lab's contended mode
// (docs/reference/lab-bus.md). They are what an uncore PMU would count, per CPU,
// on a memory bus that the emulator models.
//
// It is for the throttle and for experiments in the lab. Hardware has no such
// device; [Open] reports that.
package model
