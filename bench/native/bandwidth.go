// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

const (
	payloadSize  = 1 << 20
	smallChannel = 2 * transport.HeaderSize
	// wideChannel is the size in bytes of a channel that holds a payload each
	// way.
	wideChannel = 3 * payloadSize
)

// allocCalls is the number of calls over which allocations are counted.
const allocCalls = 20000

// Allocations is the unit of records that are counted, not timed.
const Allocations = "allocations/call"

// allocs counts the allocations of both processes together.
func (c *client) allocs(ctx context.Context, _ Options) ([]bench.Record, error) {
	ch, err := c.open(ctx, portSpin, vlibcall.Options{})
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	dst := make([]byte, 0, len(message))
	calls := func(n int) error {
		for range n {
			if _, err := ch.Call(context.Background(), library, functionEcho, message[:], dst); err != nil {
				return err
			}
		}
		return nil
	}
	if err := calls(allocCalls / 10); err != nil {
		return nil, err
	}
	peerBefore, err := c.peerMallocs()
	if err != nil {
		return nil, err
	}
	before := mallocs()
	err = calls(allocCalls)
	mine := mallocs() - before
	peerAfter, perr := c.peerMallocs()
	if err := errors.Join(err, perr); err != nil {
		return nil, err
	}
	theirs := peerAfter - peerBefore
	return []bench.Record{{
		Name: "call.native.allocs", Unit: Allocations, Target: bench.Goal(0), Better: bench.Lower,
		// Whole allocations, as testing.AllocsPerRun counts them: the
		// remainder is the runtime's and that of the query itself.
		Value: float64((mine + theirs) / allocCalls),
		Raw: map[string]float64{
			"calls": allocCalls, "client_mallocs": float64(mine), "server_mallocs": float64(theirs),
		},
	}}, nil
}

// bandwidth compares a call that carries 1 MiB with a copy of 1 MiB.
func (c *client) bandwidth(ctx context.Context, o Options) ([]bench.Record, error) {
	ch, err := c.open(ctx, portSpin, vlibcall.Options{Size: wideChannel})
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	src, dst := make([]byte, payloadSize), make([]byte, payloadSize)
	for i := range src {
		src[i], dst[i] = byte(i), byte(i)
	}
	call := func(function string, want int) func(context.Context) (float64, error) {
		return func(context.Context) (float64, error) {
			return c.batches(copyBatch, func(n int) error {
				for range n {
					out, err := ch.Call(context.Background(), library, function, src, dst)
					if err != nil {
						return err
					}
					if len(out) != want {
						return errors.New("the answer has the wrong length")
					}
				}
				return nil
			})
		}
	}
	shared := c.shared.memory[sharedSize-payloadSize:]
	s, err := bench.Interleave(ctx, o.Repeats, []bench.Part{
		{Name: "memcpy_private_ns", Measure: memcpy(dst, src, c)},
		{Name: "memcpy_shared_ns", Measure: memcpy(shared, src, c)},
		{Name: "call_in_ns", Measure: call(functionSink, 8)},
		{Name: "call_in_read_ns", Measure: call(functionSum, 8)},
		{Name: "call_echo_ns", Measure: call(functionEcho, payloadSize)},
	})
	if err != nil {
		return nil, err
	}
	best := "memcpy_shared_ns"
	if s.Median("memcpy_private_ns") < s.Median(best) {
		best = "memcpy_private_ns"
	}
	share := func(name, part string, target *float64) bench.Record {
		// Bandwidths are inverse to times.
		r := ratio(name, s, best, part, target, "memcpy_private_ns", "memcpy_shared_ns", part)
		r.Better = bench.Higher
		r.Raw["GB_per_s"] = payloadSize / s.Median(part)
		r.Raw["memcpy_GB_per_s"] = payloadSize / s.Median(best)
		return r
	}
	return []bench.Record{
		share("call.native.bandwidth", "call_in_ns", bench.Goal(0.7)),
		share("call.native.bandwidth.read", "call_in_read_ns", nil),
		share("call.native.bandwidth.echo", "call_echo_ns", nil),
	}, nil
}
