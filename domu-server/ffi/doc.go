// SPDX-License-Identifier: Apache-2.0

// Package ffi opens shared libraries of the machine it runs on and calls their
// functions, with types known only at run time, from the requests of package
// signature.
//
// It is for the worker process of the server in a guest, and for nothing
// else: a library runs in the worker's own address space, so it can crash,
// end, hang or corrupt that process. Whoever uses this package is prepared to
// be killed, calls [DefaultSignals] first so that a crash looks like one from
// outside, and has a parent which notices and bounds the time. There is no
// unloading: a library may have threads and exit handlers, and the end of the
// process is the only safe end for them.
//
// It follows the System V ABI for AMD64 (Linux, glibc), without cgo: purego
// brings the dynamic linker and the switch to a C stack, and a few lines of
// assembly load the registers. purego's own calls do not suit: RegisterFunc
// takes Go types fixed in advance and goes through reflection, SyscallN
// puts the same values in integer and floating-point registers and does not
// return floats, and neither reports errno.
//
// A program that imports this package is dynamically linked even with
// CGO_ENABLED=0 and needs the guest's ld.so and glibc.
package ffi
