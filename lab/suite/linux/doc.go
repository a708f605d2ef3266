// SPDX-License-Identifier: Apache-2.0

// Package linux tests the native host on Debian's Linux without Xen, on emulated
// processors: the kernel's own resctrl and perf (build tag dom0).
package linux
