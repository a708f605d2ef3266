// SPDX-License-Identifier: Apache-2.0

// Package hvm tests an HVM guest, which has a device model in Dom0: calls, an emulated
// drive, save and restore, and the device model on the guest's reservation.
//
// Its tests run in the lab's Dom0 (build tag dom0).
package hvm
