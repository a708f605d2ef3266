// SPDX-License-Identifier: Apache-2.0

// Package load has the two programs that experiments with memory are made of:
// one that waits for memory, and one that fills the bus.
package load
