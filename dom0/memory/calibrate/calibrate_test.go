// SPDX-License-Identifier: Apache-2.0

package calibrate

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/throttle"
)

// memory is a source whose latency follows the load.
type memory struct {
	begin            time.Time
	latency, n, nano uint64
	dead             bool
}

func (m *memory) Name() string { return "memory" }
func (m *memory) Close() error { return nil }
func (m *memory) Read(c *throttle.Counters) error {
	if !m.dead {
		m.n += 100
		m.nano += 100 * m.latency
	}
	c.At, c.Scale = time.Since(m.begin), 1
	c.Units = append(c.Units[:0], throttle.Unit{Requests: m.n, Occupancy: m.nano, Width: 64})
	return nil
}

func TestLatencyFollowsTheLoad(t *testing.T) {
	m := &memory{begin: time.Now()}
	var loads []int
	o := Options{
		Source: m, Total: 240 * time.Millisecond, Log: io.Discard,
		Load: func(percent int) error {
			loads = append(loads, percent)
			m.latency = 100 + uint64(percent)
			return nil
		},
	}
	c, err := Measure(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range c {
		if p.Load != float64(Loads[i])/100 || p.Latency != float64(100+Loads[i]) || p.Low != p.Latency || p.High != p.Latency {
			t.Errorf("%+v", p)
		}
	}
	if len(loads) != rounds*len(Loads) || loads[0] != 0 || loads[len(Loads)-1] != 100 || loads[len(Loads)] != 100 {
		t.Errorf("order of loads: %v", loads)
	}
	m.dead = true
	if _, err := Measure(context.Background(), o); err == nil || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("counters that do not move: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Measure(ctx, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestProcessesEndWithTheirInput(t *testing.T) {
	// cat ends with its standard input, as a load process does.
	p, err := Start([]string{"sh", "-c", "exec cat >/dev/null"}, []int{0, 0}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Set(50); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Start([]string{"/does/not/exist"}, []int{0}, 1); err == nil {
		t.Error("a command that is not there")
	}
}
