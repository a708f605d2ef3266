// SPDX-License-Identifier: Apache-2.0

// Package lab runs a command in Dom0 of a real Xen, with DomUs beside it, in
// QEMU: on any amd64 Debian or Ubuntu machine, with no hardware virtualisation.
//
// It is for tests and benchmarks of this project and for trying it out; the
// command is cmd/vliblab. The product itself does not import it. Nothing that
// is measured in it is a time: [Mode] says what is true in which mode.
//
// A [Run] resumes a machine that an earlier one with the same ingredients has
// saved, which takes a second or two; where there is none it boots, some ten to
// sixty seconds, and saves the machine ([Saved], docs/lab.md).
package lab
