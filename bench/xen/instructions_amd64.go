// SPDX-License-Identifier: Apache-2.0

package xen

// tsc reads the time-stamp counter. In counted mode it needs no fence: TCG
// executes in order.
func tsc() uint64

// pause is the instruction of who waits for another CPU. In counted mode it lets
// the other CPU go on at once, which else waits for the next timer.
func pause()
