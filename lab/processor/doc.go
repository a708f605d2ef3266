// SPDX-License-Identifier: Apache-2.0

// Package processor builds QEMU with a processor that has what Xen's and Linux' cache
// allocation and this project's throttle need, and what no other emulator has: cache classes
// that are obeyed, monitoring of cache and memory, and uncore counters that move. It is
// emulated as the manuals describe it, and it is no hardware.
//
// The folder emulator is our part of QEMU, under the GNU General Public License, version 2 or
// later. It is compiled on this machine with the source package of the installed QEMU, into
// which [hooks] inserts the lines that lead to it, and is cached by content. The caches and the
// bus themselves are the memory plugin's (package membus), which reads from a shared file what
// software has programmed.
package processor
