// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/throttle"
)

// rounds is how often the load walks through its memory, if there is time.
const rounds = 8

// counters reads the host's counters of memory requests before a program streams
// through memory, and after it. The program's first walk, which also makes the pages,
// is in it: the counters must have counted at least the lines.
func counters(ctx context.Context, s *stage) (_ Result, err error) {
	source, done, err := s.Latency(ctx)
	if errors.Is(err, throttle.ErrNoSource) {
		return Result{}, impossible("%w", err)
	}
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, source.Close(), done()) }()
	s.Progress("counters")
	var before, after throttle.Counters
	if err := source.Read(&before); err != nil {
		return Result{}, err
	}
	load := exec.CommandContext(ctx, s.Self, LoadCommand, "stream", strconv.Itoa(rounds))
	out, err := load.CombinedOutput()
	if err != nil {
		return Result{}, fmt.Errorf("the load: %w: %s", err, out)
	}
	lines, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return Result{}, fmt.Errorf("the load: %w", err)
	}
	if err := source.Read(&after); err != nil {
		return Result{}, err
	}
	requests, occupancy := grown(before.Units, after.Units)
	return judgeCounters(requests, occupancy, lines), nil
}

// grown is by how much the counters of all units have grown; they wrap.
func grown(before, after []throttle.Unit) (requests, occupancy float64) {
	for i := range min(len(before), len(after)) {
		mask := ^uint64(0)
		if w := after[i].Width; w < 64 {
			mask = 1<<w - 1
		}
		requests += float64((after[i].Requests - before[i].Requests) & mask)
		occupancy += float64((after[i].Occupancy - before[i].Occupancy) & mask)
	}
	return requests, occupancy
}

// judgeCounters passes counters that counted at least half of the lines, which a
// prefetcher may fetch together with their neighbours, and under way for at least one
// unit of time each.
func judgeCounters(requests, occupancy, lines float64) Result {
	r := Result{Verdict: Passed, Figures: map[string]float64{
		"requests_count": requests, "lines_count": lines, "occupancy_units": occupancy,
	}, Reason: fmt.Sprintf("%.0f requests counted while a program walked over %.0f lines", requests, lines)}
	switch {
	case requests < lines/2:
		r.Verdict = Failed
	case occupancy < requests:
		r.Verdict, r.Reason = Failed, fmt.Sprintf("%.0f requests were under way for %.0f units of time together, which is less than one each", requests, occupancy)
	}
	return r
}
