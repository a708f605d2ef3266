// SPDX-License-Identifier: Apache-2.0

// Package lifecycle tests what a toolstack does to domains that are adopted, gated,
// and called: save, restore, and requests that a guest must answer. All is done by
// 'xl'.
//
// Its tests run in the lab's Dom0 (build tag dom0), under the scheduler vlib.
package lifecycle
