// SPDX-License-Identifier: Apache-2.0

// Package scheduling has only tests: of the module in the hypervisor, in the lab's Dom0
// with DomUs, in counted mode, where time is the number of instructions and so exact.
package scheduling
