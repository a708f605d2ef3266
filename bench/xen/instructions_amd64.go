// SPDX-License-Identifier: Apache-2.0

package xen

// tsc reads the time-stamp counter. Counted mode needs no fence: TCG executes in
// order.
func tsc() uint64

// pause executes PAUSE, for loops that wait for another CPU. In counted mode the
// other CPU then runs at once; without it, at the next timer.
func pause()
