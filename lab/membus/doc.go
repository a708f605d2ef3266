// SPDX-License-Identifier: Apache-2.0

// Package membus builds the emulator's plugins. The one for the lab's contended mode
// (docs/reference/lab-bus.md) gives the machine a last-level cache that its CPUs share,
// and a memory bus that they queue for. The other one counts instructions by address.
//
// The plugins in the folder plugin are compiled on this machine with the header from the
// source package of the installed QEMU, and cached by content. Like that header, they are
// under the GNU General Public License, version 2 or later; they are linked into nothing else.
//
// Package throttle/model reads the memory bus's counters; bench/xen the profile's counts.
package membus
