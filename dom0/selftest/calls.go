// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

// So many calls are made, or as many as are answered in that time.
const (
	tryCalls    = 5000
	tryCallsFor = 30 * time.Second
)

// slowest is the median of a call's duration that still passes: three orders of
// magnitude more than it takes on an ordinary machine.
const slowest = 10 * time.Millisecond

// server is one that a ground has started.
type server struct {
	directory.Config
	domain string        // or UUID
	within time.Duration // it listens
}

// calls starts a server of this program's release in a throw-away domain, and calls it.
func calls(ctx context.Context, s *stage) (_ Result, err error) {
	program, err := serverProgram(s.Self)
	if err != nil {
		return Result{}, err
	}
	s.Progress("starting a server")
	callee, err := s.ground.server(ctx, s, program)
	if err != nil {
		return Result{}, err
	}
	all, err := directory.Open(ctx, callee.Config)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, all.Close()) }()
	channel, err := open(ctx, all, callee)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, channel.Close()) }()
	s.Progress("calls")
	input := bytes.Repeat([]byte("selftest"), 8)
	var took []time.Duration
	for end := clock.Monotonic() + tryCallsFor; len(took) < tryCalls && clock.Monotonic() < end; {
		begin := clock.Monotonic()
		answer, err := channel.Call(ctx, builtin.Library, builtin.Echo, input, nil)
		if err != nil {
			return Result{}, fmt.Errorf("call %d: %w", len(took)+1, err)
		}
		took = append(took, clock.Monotonic()-begin)
		if !bytes.Equal(answer, input) {
			return Result{}, fmt.Errorf("call %d had another answer than it asked for", len(took))
		}
	}
	return judgeCalls(took), nil
}

// open opens a channel to the server once it listens.
func open(ctx context.Context, all directory.Directory, callee server) (*vlibcall.Channel, error) {
	for end := time.Now().Add(callee.within); ; {
		d, err := all.Lookup(ctx, callee.domain)
		if err == nil {
			var c *vlibcall.Channel
			if c, err = vlibcall.Open(ctx, d, vlibcall.Options{}); err == nil {
				return c, nil
			}
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("the server in the throw-away domain cannot be called after %v: %w", callee.within, err)
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func judgeCalls(took []time.Duration) Result {
	if len(took) == 0 {
		return Result{Verdict: Failed, Reason: "no call was answered"}
	}
	sorted := slices.Sorted(slices.Values(took))
	median, p99 := sorted[len(sorted)/2], sorted[(len(sorted)-1)*99/100]
	us := func(d time.Duration) float64 { return float64(d) / 1000 }
	r := Result{Verdict: Passed, Figures: map[string]float64{
		"calls": float64(len(took)), "call_p50_us": us(median), "call_p99_us": us(p99), "call_max_us": us(sorted[len(sorted)-1]),
	}, Reason: fmt.Sprintf("%d calls answered, %.1f µs (median), %.1f µs (p99)", len(took), us(median), us(p99))}
	if median > slowest {
		r.Verdict = Failed
	}
	return r
}

// start starts a process of this test; its output goes to a file of the plan's folder.
func (s *stage) start(cmd *exec.Cmd, name string) error {
	log, err := os.Create(filepath.Join(s.plan.Dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return s.run(cmd)
}
