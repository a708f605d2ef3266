// SPDX-License-Identifier: Apache-2.0

// Package vlib uses this project's module in the hypervisor: it makes
// reservations and gives them to domains, starts and cancels calls, closes
// gates, throttles CPUs, and reads costs. docs/reference/hypercall.md describes
// every operation; the names here are the same.
//
// [Module] is for a control program in Dom0, over a [xenctl.Handle]. Of its
// methods, a guest may use Listen and Complete, about itself. [Direct] has
// those two for a PVH guest's user mode, without a device and without a system
// call.
//
// The package has no policy and no state: policy is the caller's, state is the
// hypervisor's. Methods are safe for concurrent use. Call, Listen, Complete,
// Cancel, Finish, Lease, Hold, Drop and Charge pass values only, and allocate
// nothing unless they fail.
package vlib
