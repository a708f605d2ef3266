// SPDX-License-Identifier: Apache-2.0

// Package resctrl gives native domains their classes of cache and memory
// bandwidth through Linux's file system of that name (Intel RDT and AMD QoS). A
// class is a group "vlibos.NAME" that contains the threads of its domains.
//
// It does not use github.com/intel/goresctrl: version 0.14 has one state for a
// whole process, does not tell what the processor supports, and finds the file
// system in /proc/mounts alone, which rules out tests on a directory.
//
// Nothing is recorded elsewhere: [Open] removes groups of that prefix, which an
// earlier process left, and the kernel then puts their threads into the default
// group.
package resctrl
