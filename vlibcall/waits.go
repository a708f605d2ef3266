// SPDX-License-Identifier: Apache-2.0

package vlibcall

import "runtime"

// waits counts blocking waits, and yields to the Go scheduler now and then.
//
// A goroutine that does nothing but wait in system calls never passes through
// the scheduler. After 10 ms Go's monitor thread takes that for a goroutine
// that does not yield (retake in runtime/proc.go, Go 1.26), takes its P away,
// and then looks again every 20 µs for a millisecond or more: thread switches
// in the midst of calls, on a guest's one vCPU. Yielding resets that clock.
// Counted over 3,000 blocking calls into a DomU, the mean is 60,700
// instructions with it and 63,400 without; the median is the same.
type waits uint32

// waitsPerYield: a wait of a call takes about 50 µs where it matters, so this
// is half of the 10 ms.
const waitsPerYield = 100

// next comes before each wait. One goroutine at a time.
func (w *waits) next() {
	*w++
	if *w%waitsPerYield == 0 {
		runtime.Gosched()
	}
}
