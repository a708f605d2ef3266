// SPDX-License-Identifier: Apache-2.0

// Package contended builds the emulator's plugin that gives the lab's machine a
// last-level cache that its CPUs share and a memory bus that they queue for:
// the contended mode, which docs/contended.md describes.
//
// The plugin in the folder plugin is compiled on this machine, against the
// header in the source package of the installed QEMU, and kept in the lab's
// cache by content. As that header is, it is under the GNU General Public
// License, version 2 or later; nothing of it is linked into anything else.
//
// What the plugin counts is read with throttle/model.
package contended
