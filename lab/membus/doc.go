// SPDX-License-Identifier: Apache-2.0

// Package membus builds the emulator's plugin for the lab's contended mode
// (docs/reference/lab-bus.md). The plugin gives the machine a last-level cache that its CPUs share,
// and a memory bus that they queue for.
//
// The plugin in the folder plugin is compiled on this machine with the header from the
// source package of the installed QEMU, and cached by content. Like that header, it is
// under the GNU General Public License, version 2 or later; it is linked into nothing else.
//
// Package throttle/model reads the plugin's counters.
package membus
