// SPDX-License-Identifier: Apache-2.0

// Command registers reads, in a guest, the registers and counters with which a processor
// measures and allocates: by RDMSR, by RDPMC and by perf. It prints a line for each: what
// was read, and the value or the refusal. The guest's kernel must let root use /dev/cpu.
//
// Its tests run it in the lab's DomU, on an emulated processor, and run in Dom0 themselves
// (build tag dom0).
package main
