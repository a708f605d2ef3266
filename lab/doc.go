// SPDX-License-Identifier: Apache-2.0

// Package lab runs a command in Dom0 of a real Xen, with DomUs, in QEMU. It works on
// any amd64 Debian or Ubuntu machine and needs no hardware virtualisation.
//
// It is for this project's tests and benchmarks, and for trying the project out; the
// command is cmd/vliblab. The product does not import it. The emulator's clock is not a
// measure of time: [Mode] says what can be measured in which mode.
//
// A [Run] resumes a machine that an earlier run with the same ingredients has saved,
// which takes a second or two. If there is none, it boots, which takes ten to sixty
// seconds, and saves the machine ([Saved], docs/reference/lab.md).
package lab
