// SPDX-License-Identifier: Apache-2.0

// Package processor tests, in Dom0 on an emulated processor in the lab's contended mode, what
// reads the processor's counters and programs its classes (build tag dom0).
package processor
