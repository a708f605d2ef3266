// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// A call's receipt is what the module charged for it, however the caller waits, and the
// caller's book contains it.
func TestReceiptIsWhatTheModuleCharged(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 8*ms, 10*ms)
	h.listens(1)
	h.must(h.Allow(1, 1))
	book, err := receipt.Open(t.TempDir())
	h.must(err)
	defer book.Close()
	for _, wait := range []vlibcall.WaitPolicy{vlibcall.Block, vlibcall.SpinThenBlock, vlibcall.Spin} {
		c := h.open(1, vlibcall.Options{
			Timeout: 10 * time.Second, Reservation: 1, Wait: wait,
			Record: book.Recorder(receipt.Self(), wait.String(), "domain").Record,
		})
		h.echo(c)
		for _, words := range []string{"true", "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done"} {
			_, r, err := c.CallReceipt(h.Context(), builtin.Library, builtin.Run, host.Shell(h, words), nil)
			if err != nil || r.Cost == nil {
				h.Fatalf("%v: %+v, %v", wait, r, err)
			}
			// The server is about to listen, so that the module ends the call.
			time.Sleep(5 * ms)
			a := h.account(1)
			h.Logf("%v, %.10q: wall %v, %+v; the module: %v, wall %v, %+v", wait, words, r.Wall, *r.Cost, a.Call, a.Wall, a.Cost)
			if r.Cost.Foreground != a.Cost.Foreground || r.Cost.Background != a.Cost.Background ||
				r.Cost.Throttled != a.Cost.Throttled || r.Cost.Deschedules != a.Cost.Deschedules || r.Cost.Queued != a.Queued {
				h.Errorf("%v: receipt %+v, module %+v", wait, *r.Cost, a)
			}
			if used := r.Cost.Foreground + r.Cost.Background; used == 0 || r.Wall < used {
				h.Errorf("%v: %v of CPU time within %v", wait, used, r.Wall)
			}
		}
	}
}
