// SPDX-License-Identifier: Apache-2.0

// Package load has the two programs of which memory experiments consist: one
// that waits for memory, and one that fills the bus.
package load
