// SPDX-License-Identifier: Apache-2.0

// Package contention tests, in Dom0 in the lab's contended mode, that programs on the modelled
// memory bus slow each other down (build tag dom0).
package contention
