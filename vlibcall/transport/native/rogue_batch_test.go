// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"net"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// inFlight is how many requests the clients of batchActs have in the channel.
const inFlight = 4

// batchActs are a rogue's deeds once it has a batch of inFlight requests.
var batchActs = map[string]struct {
	act  func(r *rogue)
	want error // of the batch; nil: none
}{
	"answers in the other order": {func(r *rogue) {
		for slot := inFlight - 1; slot >= 0; slot-- {
			r.page.Answer(slot, uint64(slot+1), 0, "")
		}
	}, nil},
	"answers one twice": {func(r *rogue) {
		r.page.Answer(0, 1, 0, "")
		r.page.Answer(1, 1, 0, "")
	}, vlibcall.ErrProtocol},
	"never answers one": {func(r *rogue) {
		for slot := range inFlight - 1 {
			r.page.Answer(slot, uint64(slot+1), 0, "")
		}
	}, vlibcall.ErrTimeout},
	"answers what was not asked": {func(r *rogue) { r.page.Answer(2, 3+inFlight, 0, "") }, vlibcall.ErrProtocol},
	"answers beyond the slots": {func(r *rogue) {
		for slot := inFlight; slot < transport.MaxInFlight; slot++ {
			r.page.Answer(slot, uint64(slot+1), 0, "")
		}
	}, vlibcall.ErrTimeout},
	"asks itself": {func(r *rogue) { r.page.Ask(3, 4+inFlight, 0, "") }, vlibcall.ErrProtocol},
	"answers too much for a part": {func(r *rogue) {
		r.page.Answer(0, 1, memory.ShapeOf(transport.NearSize/inFlight+1, 0, memory.FlagNear), "")
	}, vlibcall.ErrProtocol},
	"says another number of slots": {func(r *rogue) {
		r.page.Attach(1)
		for slot := range inFlight {
			r.page.Answer(slot, uint64(slot+1), 0, "")
		}
	}, nil},
}

// Each lie in a batch is an error of its kind, in time; the requests that the rogue
// answered have their answers.
func TestLiesInABatchAreErrors(t *testing.T) {
	for name, a := range batchActs {
		t.Run(name, func(t *testing.T) {
			offered := make(chan *rogue, 1)
			r := newRogue(t, func(r *rogue, conn *net.UnixConn, hello []byte) {
				r.offer(conn, hello, honest, r.eventfd(), r.eventfd())
				now := *r
				offered <- &now
			})
			timeout := testkit.Patience
			if errors.Is(a.want, vlibcall.ErrTimeout) {
				timeout = callTimeout
			}
			c, err := vlibcall.Open(t.Context(), Domain(r.dir), vlibcall.Options{Size: rogueSize, InFlight: inFlight, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			now, done := <-offered, make(chan struct{})
			go func() {
				defer close(done)
				now.called()
				a.act(now)
				now.signal()
			}()
			requests := make([]vlibcall.Request, inFlight)
			for i := range requests {
				requests[i] = vlibcall.Request{Library: "t", Function: "echo", Input: []byte("x")}
			}
			if err := c.Batch(t.Context(), requests); !errors.Is(err, a.want) {
				t.Errorf("%v, want %v", err, a.want)
			}
			<-done
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
