// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/receipt"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// record compares a spinning call that is counted in a book of receipts with one
// that is not, and measures the counting alone.
func (c *client) record(ctx context.Context, o Options) (_ []bench.Record, err error) {
	book, err := receipt.Open(c.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	counter := book.Recorder(receipt.Self(), "domain", "domain")
	plain, err := c.open(ctx, portSpin, vlibcall.Options{Wait: vlibcall.Spin})
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	counted, err := c.open(ctx, portSpin, vlibcall.Options{Wait: vlibcall.Spin, Record: counter.Record})
	if err != nil {
		return nil, err
	}
	defer counted.Close()
	call := func(ch *vlibcall.Channel) func(context.Context) (float64, error) {
		return c.calls(spinBatch, message[:], func(message, dst []byte) ([]byte, error) {
			return ch.Call(context.Background(), library, functionEcho, message, dst)
		})
	}
	count := func(r vlibcall.Receipt) func(context.Context) (float64, error) {
		return func(context.Context) (float64, error) {
			return c.batches(countBatch, func(n int) error {
				for range n {
					counter.Record(library, functionEcho, r, nil)
				}
				return nil
			})
		}
	}
	paid := transport.Cost{Foreground: 3000, Background: 1000, Queued: 500, Throttled: 7, Deschedules: 1}
	s, err := bench.Interleave(ctx, o.Repeats, []bench.Part{
		{Name: "call_ns", Measure: call(plain)},
		{Name: "recorded_ns", Measure: call(counted)},
		{Name: "record_ns", Measure: count(vlibcall.Receipt{Wall: 5000})},
		{Name: "record_paid_ns", Measure: count(vlibcall.Receipt{Wall: 5000, Cost: &paid})},
	})
	if err != nil {
		return nil, err
	}
	names := []string{"call_ns", "recorded_ns", "record_ns", "record_paid_ns"}
	alone := bench.Record{
		Name: "receipt.record", Value: s.Median("record_paid_ns"), Unit: "ns", Target: bench.Goal(100), Better: bench.Lower,
		Raw: map[string]float64{"record_ns": s.Median("record_ns")},
	}
	return []bench.Record{ratio("call.native.recorded", s, "recorded_ns", "call_ns", nil, names...), alone}, nil
}
