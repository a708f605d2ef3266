// SPDX-License-Identifier: Apache-2.0

// Package image builds what the lab boots from unpacked Debian packages: a
// hypervisor, a kernel, and the initramfs images of Dom0 and of the DomUs.
//
// The base images are made from packages alone and are cached by content. What
// differs between runs, our binaries and the user's files, is a second cpio
// segment after the base: the kernel unpacks segments in order, and a later file
// replaces an earlier one.
//
// It is not a general image builder: it makes no disk, installs no package and
// runs no maintainer script.
package image
