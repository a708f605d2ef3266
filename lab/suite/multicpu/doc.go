// SPDX-License-Identifier: Apache-2.0

// Package multicpu is tests alone: of the module in the hypervisor where CPUs
// really run at once, in the lab's functional mode. Nothing in it is measured
// in time; that is package scheduling's.
package multicpu
