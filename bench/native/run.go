// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Options are those of the measurements.
type Options struct {
	// Repeats is the number of repeats of each comparison, each A B B A.
	Repeats int
	// Slot is how long one of these letters lasts.
	Slot time.Duration
	// PeerCPU is the peer's CPU. The caller is pinned already.
	PeerCPU int
	// Only names the [Parts] to measure; all if it is empty.
	Only []string
	// Self starts this program, with PeerArgs and a folder, as [Peer].
	Self     Command
	PeerArgs []string
}

// Parts are the names of the measurements, in order.
var Parts = []string{"spin", "block", "batch", "others", "allocs", "record", "bandwidth", Waiting, Reserve}

// Reserve is the part that measures reservations, not the cost of calls.
const Reserve = "reserve"

// Client measures all parts, from a process that is pinned to one core, with a
// peer on another. It passes each record to done at once.
func Client(ctx context.Context, o Options, done func(bench.Record) error) (err error) {
	settle()
	dir, err := workDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := newClient(dir, o.PeerCPU, o.Slot, o.Self, o.PeerArgs...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	measure := map[string]func(context.Context, Options) ([]bench.Record, error){
		"spin": c.spin, "block": c.block, "batch": c.together, "others": c.others, "allocs": c.allocs, "record": c.record, "bandwidth": c.bandwidth,
		Waiting: c.waiting, Reserve: c.reserve,
	}
	for _, part := range Parts {
		if len(o.Only) > 0 && !slices.Contains(o.Only, part) {
			continue
		}
		records, err := measure[part](ctx, o)
		if err != nil {
			return err
		}
		for _, r := range records {
			r.Raw["load_1min"] = bench.Load()
			if err := done(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// calls returns a part that makes calls in batches of a number. call sends the
// message and appends what it gets to dst[:0].
func (c *client) calls(batch int, message []byte, call func(message, dst []byte) ([]byte, error)) func(context.Context) (float64, error) {
	dst := make([]byte, 0, len(message))
	return func(context.Context) (float64, error) {
		time.Sleep(quiet)
		return c.batches(batch, func(n int) error {
			for range n {
				out, err := call(message, dst)
				if err != nil {
					return err
				}
				if len(out) != len(message) || out[0] != message[0] {
					return errDiffers
				}
			}
			return nil
		})
	}
}

var errDiffers = errors.New("the echo differs from what was sent")

// The messages: a small call's, which is in one cache line, and one of 64 bytes.
var small, message = [40]byte{'v', 'L', 'i', 'b'}, [64]byte{'v', 'L', 'i', 'b'}

// spin compares a spinning call, and one in a session, with a cache line that goes to
// and fro.
func (c *client) spin(ctx context.Context, o Options) ([]bench.Record, error) {
	plain, err := c.open(ctx, portSpin, vlibcall.Options{Wait: vlibcall.Spin})
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	polled, err := c.open(ctx, portSpin, vlibcall.Options{Wait: vlibcall.Spin})
	if err != nil {
		return nil, err
	}
	defer polled.Close()
	call := func(message, dst []byte) ([]byte, error) {
		return plain.Call(context.Background(), library, functionEcho, message, dst)
	}
	inSession := func(ctx context.Context) (float64, error) {
		session, err := polled.Session(ctx, library, functionEcho)
		if err != nil {
			return 0, err
		}
		v, err := c.calls(spinBatch, small[:], func(message, dst []byte) ([]byte, error) {
			return session.Call(context.Background(), message, dst)
		})(ctx)
		return v, errors.Join(err, session.Close())
	}
	s, err := bench.Interleave(ctx, o.Repeats, []bench.Part{
		{Name: "line1_ns", Measure: c.rawLines(1)},
		{Name: "line2_ns", Measure: c.rawLines(2)},
		{Name: "call_ns", Measure: c.calls(spinBatch, small[:], call)},
		{Name: "session_ns", Measure: inSession},
		{Name: "call64_ns", Measure: c.calls(spinBatch, message[:], call)},
	})
	if err != nil {
		return nil, err
	}
	names := []string{"line1_ns", "line2_ns", "call_ns", "session_ns", "call64_ns"}
	return []bench.Record{
		ratio("call.native.spin", s, "call_ns", "line1_ns", bench.Goal(1.5), names...),
		ratio("call.native.spin.session", s, "session_ns", "line1_ns", bench.Goal(1.5), names...),
		ratio("call.native.spin.64bytes", s, "call64_ns", "line1_ns", nil, names...),
	}, nil
}

// mostInFlight is how many requests are in the channel at a time, where there are
// several.
const mostInFlight = 16

// together compares 16 calls in flight with 16 calls one after the other: the time for
// one call.
func (c *client) together(ctx context.Context, o Options) ([]bench.Record, error) {
	var records []bench.Record
	for _, how := range []struct {
		name   string
		port   transport.Port
		wait   vlibcall.WaitPolicy
		batch  int
		target *float64
	}{{"call.native.batch", portBlock, vlibcall.Block, blockBatch, bench.Goal(0.4)}, {"call.native.batch.spin", portSpin, vlibcall.Spin, spinBatch, nil}} {
		ch, err := c.open(ctx, how.port, vlibcall.Options{Wait: how.wait, InFlight: mostInFlight})
		if err != nil {
			return nil, err
		}
		defer ch.Close()
		requests := make([]vlibcall.Request, mostInFlight)
		for i := range requests {
			requests[i] = vlibcall.Request{Library: library, Function: functionEcho, Input: small[:], Output: make([]byte, 0, len(small))}
		}
		batch := c.calls(how.batch/mostInFlight, small[:], func(_, _ []byte) ([]byte, error) {
			err := ch.Batch(context.Background(), requests)
			return requests[0].Output, err
		})
		s, err := bench.Interleave(ctx, o.Repeats, []bench.Part{
			{Name: "call_ns", Measure: c.calls(how.batch, small[:], func(message, dst []byte) ([]byte, error) {
				return ch.Call(context.Background(), library, functionEcho, message, dst)
			})},
			{Name: "batched_ns", Measure: func(ctx context.Context) (float64, error) {
				v, err := batch(ctx)
				return v / mostInFlight, err
			}},
		})
		if err != nil {
			return nil, err
		}
		records = append(records, ratio(how.name, s, "batched_ns", "call_ns", how.target, "batched_ns", "call_ns"))
	}
	return records, nil
}

// block compares a blocking call with eventfds.
func (c *client) block(ctx context.Context, o Options) ([]bench.Record, error) {
	blocking, err := c.open(ctx, portBlock, vlibcall.Options{Wait: vlibcall.Block})
	if err != nil {
		return nil, err
	}
	defer blocking.Close()
	adaptive, err := c.open(ctx, portBlock, vlibcall.Options{})
	if err != nil {
		return nil, err
	}
	defer adaptive.Close()
	call := func(ch *vlibcall.Channel) func(context.Context) (float64, error) {
		return c.calls(blockBatch, small[:], func(message, dst []byte) ([]byte, error) {
			return ch.Call(context.Background(), library, functionEcho, message, dst)
		})
	}
	s, err := bench.Interleave(ctx, o.Repeats, []bench.Part{
		{Name: "eventfd_ns", Measure: c.rawEvents},
		{Name: "call_ns", Measure: call(blocking)},
		{Name: "adaptive_ns", Measure: call(adaptive)},
	})
	if err != nil {
		return nil, err
	}
	names := []string{"eventfd_ns", "call_ns", "adaptive_ns"}
	return []bench.Record{
		ratio("call.native.block", s, "call_ns", "eventfd_ns", bench.Goal(1.1), names...),
		ratio("call.native.adaptive", s, "adaptive_ns", "eventfd_ns", nil, names...),
	}, nil
}

// ratio returns the record of part over base; lower is better.
func ratio(name string, s bench.Series, part, base string, target *float64, parts ...string) bench.Record {
	r := bench.Record{
		Name: name, Target: target, Better: bench.Lower, Raw: map[string]float64{"repeats": float64(len(s[part]))},
	}
	for _, p := range parts {
		r.Raw[p] = s.Median(p)
	}
	r.Compare(s, part, base)
	return r
}
