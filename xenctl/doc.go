// SPDX-License-Identifier: Apache-2.0

// Package xenctl talks to the hypervisor as a toolstack does: it asks for Xen's
// version, lists domains and pauses them. It is for control programs in Dom0,
// as root; in a DomU the kernel or Xen answer fs.ErrPermission.
//
// The calls go through /dev/xen/privcmd, their arguments lie in memory from
// /dev/xen/hypercall, which the kernel keeps in place (where that device does
// not exist, in locked anonymous memory). The Go heap never holds any.
//
// Toolstack interfaces are not stable: Xen refuses a domctl or sysctl of
// another interface version. This package is built for Xen 4.17 (domctl 0x15,
// sysctl 0x15); against another Xen such calls fail with a [VersionError] that
// names both. Version and xenstore (package xenctl/xenstore) work on any.
//
// It is not a replacement for libxl: it creates and destroys nothing.
package xenctl
