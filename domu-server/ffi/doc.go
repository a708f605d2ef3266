// SPDX-License-Identifier: Apache-2.0

// Package ffi opens shared libraries of this machine and calls their functions,
// with types known only at run time, from requests of package signature.
//
// It is for the worker process of the server in a guest, and for nothing else.
// A library runs in the worker's own address space, so it can crash, end, hang
// or corrupt that process. A program that uses this package must be prepared to
// be killed, call [DefaultSignals] first so that its parent sees a crash as
// such, and have a parent that notices its end and limits its time. Libraries
// are never unloaded: one may have threads and exit handlers, for which the end
// of the process is the only safe end.
//
// It follows the System V ABI for AMD64 (Linux, glibc), without cgo: purego
// provides the dynamic linker and the switch to a C stack, and a few lines of
// assembly load the registers. purego's own calls do not suit: RegisterFunc
// takes Go types fixed in advance and uses reflection, SyscallN puts the same
// values into integer and floating-point registers and does not return floats,
// and neither reports errno.
//
// A program that imports this package is dynamically linked even with
// CGO_ENABLED=0, and needs the guest's ld.so and glibc.
package ffi
