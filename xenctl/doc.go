// SPDX-License-Identifier: Apache-2.0

// Package xenctl talks to the hypervisor as a toolstack does: it reads Xen's
// version, lists domains and pauses them. It is for control programs in Dom0,
// as root; in a DomU the kernel or Xen answers fs.ErrPermission.
//
// The calls go through /dev/xen/privcmd. Their arguments are in memory from
// /dev/xen/hypercall, which the kernel does not move, or where that device does
// not exist in locked anonymous memory. They are never on the Go heap.
//
// Toolstack interfaces are not stable: Xen refuses a domctl or sysctl of
// another interface version. A [Handle] finds the versions of the Xen that it runs on,
// and speaks those of Xen 4.17 to 4.22 (domctl 0x15 to 0x18, sysctl 0x15 and 0x16). On
// another Xen such calls fail with a [VersionError] that names both versions. Version
// and xenstore (package xenctl/xenstore) work on any.
//
// It does not replace libxl: it neither creates nor destroys domains.
package xenctl
