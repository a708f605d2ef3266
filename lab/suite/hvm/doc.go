// SPDX-License-Identifier: Apache-2.0

// Package hvm tests HVM guests, which have a device model in Dom0: calls, reservations
// with and without the device model, and what 'vlibmaster' says of it.
//
// Its tests run in the lab's Dom0 (build tag dom0).
package hvm
