// SPDX-License-Identifier: Apache-2.0

package simulated

import "github.com/vlibos/vlibos/bench"

// What a request of memcached 1.6 does that reads (95 %) or stores (5 %) one of 32,768
// values of 4 KiB, as medians of twenty equal parts of 2,000 requests, each made when the
// one before it was answered. Command: vlibbench simulate --record 2000.
var (
	// recordedTurns are turns on the memory bus of the lab's contended mode, of the CPU
	// with memcached and what the kernel does for it, in Dom0 on Xen 4.17.
	recordedTurns = []int{67, 68, 69, 70, 70, 71, 71, 72, 73, 74, 74, 75, 76, 78, 80, 83, 88, 95, 118, 934}
	// recordedCPU is CPU time in ns of memcached's process, on a virtual machine of two
	// CPUs that did other work. The time in which it waited for memory there is in it.
	recordedCPU = []int{
		19006, 21441, 23079, 25356, 27296, 29073, 30535, 32496, 34308, 36594,
		38483, 40522, 42838, 45393, 48643, 52992, 58368, 65283, 75789, 93574,
	}
)

// Twentieths returns the medians of twenty equal parts of the sorted figures.
func Twentieths(figures []uint64) (parts []int) {
	all := make([]float64, len(figures))
	for i, v := range figures {
		all[i] = float64(v)
	}
	for i := range 20 {
		parts = append(parts, int(bench.Quantile(all, (float64(i)+0.5)/20)))
	}
	return parts
}
