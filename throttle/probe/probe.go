// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/load"
)

// Defaults of Options.
const (
	DefaultDuty     = 0.01
	DefaultInterval = time.Millisecond
)

// Options of Open.
type Options struct {
	CPU      int           // that it runs on
	Buffer   int           // bytes; 0: DefaultBuffer
	Duty     float64       // share of the CPU that it may use; 0: DefaultDuty
	Interval time.Duration // between bursts; 0: DefaultInterval
	// Throttled are the CPUs listed in readings; their traffic is unknown.
	Throttled []int
}

// Probe is a running probe. It implements [throttle.Source].
type Probe struct {
	o        Options
	ring     *load.Ring
	begin    time.Time
	overhead time.Duration // of reading the clock
	first    bool          // it has priority over others on its CPU

	lines, nanos atomic.Uint64
	cost         atomic.Uint64 // CPU time of the thread in ns

	stop  chan struct{}
	ended chan struct{}
	once  sync.Once
	err   error
}

// Open starts a probe.
func Open(o Options) (*Probe, error) {
	if o.Buffer == 0 {
		o.Buffer = DefaultBuffer(o.CPU)
	}
	if o.Duty == 0 {
		o.Duty = DefaultDuty
	}
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	switch {
	case o.Buffer < MinBuffer || o.Buffer > MaxBuffer:
		return nil, fmt.Errorf("probe: a buffer of %d bytes: %d to %d are allowed", o.Buffer, MinBuffer, MaxBuffer)
	case !(o.Duty > 0 && o.Duty <= 0.5):
		return nil, fmt.Errorf("probe: a duty of %v: more than 0 and at most 0.5 is allowed", o.Duty)
	case o.Interval < 100*time.Microsecond || o.Interval > time.Second:
		return nil, fmt.Errorf("probe: a burst every %v: 100µs to 1s are allowed", o.Interval)
	}
	o.Buffer &^= load.Line - 1
	r, err := load.NewRing(o.Buffer)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	p := &Probe{o: o, ring: r, begin: time.Now(), stop: make(chan struct{}), ended: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		<-p.ended
		return nil, fmt.Errorf("probe on CPU %d: %w", o.CPU, err)
	}
	return p, nil
}

// Name implements throttle.Source.
func (p *Probe) Name() string { return "probe" }

// Read implements throttle.Source.
func (p *Probe) Read(c *throttle.Counters) error {
	c.At, c.Scale = time.Since(p.begin), 1
	c.Units = append(c.Units[:0], throttle.Unit{Requests: p.lines.Load(), Occupancy: p.nanos.Load(), Width: 64})
	c.CPUs = c.CPUs[:0]
	for _, id := range p.o.Throttled {
		c.CPUs = append(c.CPUs, throttle.CPUCounter{ID: id})
	}
	return nil
}

// Cost is the share of its CPU that the probe has used since it was opened.
func (p *Probe) Cost() float64 {
	return float64(p.cost.Load()) / float64(time.Since(p.begin))
}

// Describe says what the probe measures, and how.
func (p *Probe) Describe() string {
	text := fmt.Sprintf("software probe on CPU %d: %d MiB", p.o.CPU, p.o.Buffer>>20)
	if p.ring.Huge() {
		text += " in huge pages"
	}
	text += fmt.Sprintf(", %.3g %% of the CPU every %v", 100*p.o.Duty, p.o.Interval)
	if !p.first {
		text += ", without priority over others (no CAP_SYS_NICE): it may wait for them"
	}
	return text
}

// Close ends the probe.
func (p *Probe) Close() error {
	p.once.Do(func() {
		close(p.stop)
		<-p.ended
		p.err = p.ring.Free()
	})
	return p.err
}

func (p *Probe) run(started chan<- error) {
	defer close(p.ended)
	// The thread ends with this goroutine: its affinity and priority are its
	// own.
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(p.o.CPU)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		started <- err
		_ = p.ring.Free() // mapped above, so it can be unmapped
		return
	}
	// Not real-time. While Go's garbage collector scans a thread's stack, the
	// thread spins until the scan is done. A real-time thread on the
	// collector's CPU would keep the collector, and everything else, from that
	// CPU for as long as the kernel allows: 0.95 s.
	p.first = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) == nil
	p.overhead = clockOverhead()
	started <- nil
	p.measure()
}

// clockOverhead is the shortest time between two readings of the clock.
func clockOverhead() time.Duration {
	begin := time.Now()
	least := time.Hour
	for range 1000 {
		a := time.Since(begin)
		least = min(least, time.Since(begin)-a)
	}
	return least
}

const (
	group      = 8 // lines between two readings of the clock
	leastGroup = 2 // groups in a burst
	mostGroups = 1 << 10
	// adjust is the number of bursts after which the duty is adjusted.
	adjust = 64
)

func (p *Probe) measure() {
	var at uint64
	begin := time.Now()
	groups, interval := leastGroup, p.o.Interval
	times := make([]time.Duration, mostGroups)
	next := clock.Monotonic()
	used, since := clock.Thread(), next
	for burst := 1; ; burst++ {
		select {
		case <-p.stop:
			return
		default:
		}
		for i := range groups {
			t := time.Since(begin)
			at = p.ring.Follow(at, group)
			times[i] = max(time.Since(begin)-t-p.overhead, 0)
		}
		lines, nanos := undisturbed(times[:groups])
		p.nanos.Add(uint64(nanos))
		p.lines.Add(uint64(lines))
		if burst%adjust == 0 {
			now, cpu := clock.Monotonic(), clock.Thread()
			p.cost.Add(uint64(cpu - used))
			groups, interval = fit(groups, interval, float64(cpu-used)/float64(now-since), p.o)
			used, since = cpu, now
		}
		next = max(next+interval, clock.Monotonic())
		clock.Until(next)
	}
}

// undisturbed leaves out groups in which the thread did something else, such as
// an interrupt: memory does not change within microseconds.
func undisturbed(times []time.Duration) (lines int, sum time.Duration) {
	slices.Sort(times)
	limit := 4 * times[(len(times)-1)/2]
	for _, t := range times {
		if t <= limit {
			lines += group
			sum += t
		}
	}
	return lines, sum
}

// fit chooses the length and distance of bursts so that the next ones cost what
// they may. It increases slowly and decreases at once.
func fit(groups int, interval time.Duration, cost float64, o Options) (int, time.Duration) {
	switch most := o.Duty * 0.9; {
	case cost > most && groups > leastGroup:
		groups = max(int(float64(groups)*most/cost), leastGroup)
	case cost > most:
		interval = min(2*interval, time.Second)
	case interval > o.Interval:
		if cost < most/2 {
			interval = max(interval/2, o.Interval)
		}
	default:
		groups = min(int(float64(groups)*min(most/max(cost, 1e-9), 1.5)), mostGroups)
	}
	return groups, interval
}
