// SPDX-License-Identifier: Apache-2.0

// Package vchan builds the program that measures libxenvchan, Xen's own
// library for bytes between domains, which a call must stand up to.
//
// It takes headers and static libraries from the distribution's libxen-dev,
// downloaded and unpacked into the lab's cache but not installed, and needs
// gcc. The program is of no other use.
package vchan
