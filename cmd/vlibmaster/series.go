// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/vlibos/vlibos/vlibcall"
)

// series is how long each of some calls took.
type series struct {
	latency *hdrhistogram.Histogram // ns
	last    time.Duration
	total   time.Duration // of all, with what lies between them

	receipt *vlibcall.Receipt // of the last, if it is asked for
}

func newSeries() *series {
	return &series{latency: hdrhistogram.New(1, int64(time.Hour), 3)}
}

// run makes o.repeat calls, one after the other, and returns the output of
// the last. The first failure ends it.
func (s *series) run(ctx context.Context, ch *vlibcall.Channel, o *callOptions, f form) ([]byte, error) {
	stop := interruptible(ctx, ch)
	defer stop()
	input := f.input()
	var output []byte
	begin := time.Now()
	for i := range o.repeat {
		start := time.Now()
		out, err := s.call(ch, o, input, output)
		s.last = time.Since(start)
		if err == nil && i < o.repeat-1 {
			err = f.check(out)
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("interrupted: %w", ctx.Err())
		}
		if err != nil && o.repeat > 1 {
			return nil, fmt.Errorf("call %d of %d: %w", i+1, o.repeat, err)
		}
		if err != nil {
			return nil, err
		}
		output = out
		s.latency.RecordValue(min(int64(s.last), s.latency.HighestTrackableValue()))
	}
	s.total = time.Since(begin)
	return output, nil
}

func (s *series) call(ch *vlibcall.Channel, o *callOptions, input, output []byte) ([]byte, error) {
	if !o.receipt {
		return ch.Call(context.Background(), o.library, o.function, input, output)
	}
	out, r, err := ch.CallReceipt(context.Background(), o.library, o.function, input, output)
	s.receipt = &r
	return out, err
}

func (s *series) perSecond() float64 { return float64(s.latency.TotalCount()) / s.total.Seconds() }

func (s *series) quantile(q float64) time.Duration {
	return time.Duration(s.latency.ValueAtQuantile(q))
}

func (s *series) print(w io.Writer, wait vlibcall.WaitPolicy) error {
	us := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e3) }
	_, err := fmt.Fprintf(w, `%d calls in %.3f s, %.0f calls/s, waiting by %s
latency in µs: p50 %s  p90 %s  p99 %s  p99.9 %s  max %s
(in the lab, where Xen runs in an emulator, these are not times: compare them only within one boot)
`,
		s.latency.TotalCount(), s.total.Seconds(), s.perSecond(), wait,
		us(s.quantile(50)), us(s.quantile(90)), us(s.quantile(99)), us(s.quantile(99.9)), us(time.Duration(s.latency.Max())))
	return err
}

type seriesJSON struct {
	Calls          int64       `json:"calls"`
	TotalNS        int64       `json:"total_ns"`
	CallsPerSecond float64     `json:"calls_per_second"`
	Wait           string      `json:"wait"`
	Latency        latencyJSON `json:"latency_ns"`
}

type latencyJSON struct {
	Min  int64   `json:"min"`
	Mean float64 `json:"mean"`
	P50  int64   `json:"p50"`
	P90  int64   `json:"p90"`
	P99  int64   `json:"p99"`
	P999 int64   `json:"p99_9"`
	Max  int64   `json:"max"`
}

func (s *series) fields(wait vlibcall.WaitPolicy) seriesJSON {
	h := s.latency
	return seriesJSON{
		Calls: h.TotalCount(), TotalNS: int64(s.total), CallsPerSecond: s.perSecond(), Wait: wait.String(),
		Latency: latencyJSON{
			Min: h.Min(), Mean: h.Mean(), P50: int64(s.quantile(50)), P90: int64(s.quantile(90)),
			P99: int64(s.quantile(99)), P999: int64(s.quantile(99.9)), Max: h.Max(),
		},
	}
}
