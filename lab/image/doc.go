// SPDX-License-Identifier: Apache-2.0

// Package image builds what the lab boots: a hypervisor, a kernel, and the
// initramfs images of Dom0 and of the DomUs, from unpacked Debian packages.
//
// The base images come from packages alone and are cached by what they are made
// of. What changes from run to run, our binaries and the user's files, is a
// second cpio segment behind the base: the kernel unpacks segments in order,
// and a later file replaces an earlier one.
//
// It is not a general image builder: nothing here makes a disk, installs a
// package or runs a maintainer script.
package image
