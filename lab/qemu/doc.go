// SPDX-License-Identifier: Apache-2.0

// Package qemu starts a machine that boots Xen and a Dom0 kernel in software
// emulation, with one channel to the guest and its serial console.
//
// It is for the lab. It does not know what runs in the guest. It does not use
// hardware virtualisation, which may not be able to run Xen.
package qemu
