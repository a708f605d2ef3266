// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// connections is the number of connections that the load is spread over.
const connections = 16

// The range of a histogram of latencies, in nanoseconds, with 3 digits.
const (
	leastLatency = 100
	mostLatency  = int64(10 * time.Second)
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(leastLatency, mostLatency, 3) }

// Order is what a [Generator] is told; its process reads it as one line of JSON.
type Order struct {
	Rate int `json:"rate"` // requests a second
	// Settle is how long requests are made before they count.
	Settle time.Duration `json:"settle"`
	Time   time.Duration `json:"time"`
	Seed   uint64        `json:"seed"`
}

// Result answers an order; the process writes it as one line of JSON.
type Result struct {
	Latencies *hdrhistogram.Snapshot `json:"latencies"`
	// Late is the generator's own delay, which the latencies include.
	Late *hdrhistogram.Snapshot `json:"late"`
	// Unanswered is the number of requests without an answer a second after
	// the end.
	Unanswered int `json:"unanswered"`
}

// Load is the process that generates the load. It reads orders from standard
// input. It has precedence on its CPU, so that it does not measure its own
// delays. It records each latency in a file at once, for the control of the
// co-runners.
func Load(address, file string, in io.Reader, out io.Writer) (err error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	g, err := Open(at, large)
	if err != nil {
		return err
	}
	defer g.Close()
	felt, err := requestlatency.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, felt.Close()) }()
	g.felt = func(ns int64) { felt.Add(1, time.Duration(ns)) }
	if err := corunner.Realtime(); err != nil {
		return err
	}
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	if err := answers.Encode("ready"); err != nil {
		return err
	}
	for lines.Scan() {
		var o Order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		r, err := g.Run(o)
		if err != nil {
			return err
		}
		if err := answers.Encode(r); err != nil {
			return err
		}
		runtime.GC() // between measurements
	}
	return lines.Err()
}

// Generator sends requests to a memcached at random moments, whatever happens to
// the earlier ones. It is for one goroutine.
type Generator struct {
	data        Data
	connections []*connection
	poll        []unix.PollFd
	buf         []byte
	now         int64
	felt        func(ns int64) // is called with each latency
	drain       time.Duration  // how long to wait for answers after the last request
}

// Open connects to a memcached and stores all data there.
func Open(at netip.AddrPort, d Data) (*Generator, error) {
	g, err := newGenerator(at, d)
	if err != nil {
		return nil, err
	}
	if err := g.fill(); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

func newGenerator(at netip.AddrPort, d Data) (*Generator, error) {
	g := &Generator{data: d, buf: make([]byte, 256<<10), felt: func(int64) {}, drain: drain}
	for range connections {
		c, err := dial(at)
		if err != nil {
			g.Close()
			return nil, err
		}
		g.connections = append(g.connections, c)
		g.poll = append(g.poll, unix.PollFd{Fd: int32(c.fd)})
	}
	return g, nil
}

// Close closes the connections.
func (g *Generator) Close() {
	for _, c := range g.connections {
		c.close()
	}
}

// ahead is the number of values that are being stored at the same time.
const ahead = 4 * connections

// fill stores all values.
func (g *Generator) fill() error {
	m := newMix(g.data, 0)
	for key := range g.data.Keys {
		if err := g.connections[key%connections].send(m.store(key), 0); err != nil {
			return err
		}
		for g.open() >= ahead {
			if err := g.wait(time.Second); err != nil {
				return err
			}
			if err := g.receive(func(int64) {}); err != nil {
				return err
			}
		}
	}
	return g.settle()
}

// drain is the Generator's, unless a test has less time.
const drain = time.Second

// Run makes the requests of an order, and waits for their answers.
func (g *Generator) Run(o Order) (Result, error) {
	random := rand.New(rand.NewPCG(o.Seed, 11))
	m := newMix(g.data, o.Seed)
	latencies, late := newHistogram(), newHistogram()
	begin := clock()
	counts := begin + int64(o.Settle)
	end := counts + int64(o.Time)
	answered := func(due int64) {
		g.felt(g.now - due)
		if due >= counts {
			record(latencies, g.now-due)
		}
	}
	gap := float64(time.Second) / float64(o.Rate)
	for due, n := begin, 0; ; {
		g.now = clock()
		for due <= g.now && due < end {
			if due >= counts {
				record(late, g.now-due)
			}
			if err := g.connections[n%connections].send(m.next(), due); err != nil {
				return Result{}, err
			}
			n++
			due += int64(random.ExpFloat64() * gap)
			g.now = clock()
		}
		if err := g.receive(answered); err != nil {
			return Result{}, err
		}
		open := g.open()
		if due >= end && (open == 0 || g.now > end+int64(g.drain)) {
			break
		}
		next := due
		if due >= end {
			next = end + int64(g.drain)
		}
		if err := g.wait(time.Duration(next - clock())); err != nil {
			return Result{}, err
		}
	}
	// Unanswered requests count with the time that they have waited.
	r := Result{Late: late.Export(), Unanswered: g.open()}
	for _, c := range g.connections {
		for _, w := range c.due {
			record(latencies, g.now-w.at)
		}
	}
	r.Latencies = latencies.Export()
	return r, g.settle()
}

// settle waits for the outstanding answers, so that the next measurement begins
// with none.
func (g *Generator) settle() error {
	for end := clock() + int64(patience); g.open() > 0; {
		if clock() > end {
			return fmt.Errorf("%d requests are not answered within %v: the service does not answer", g.open(), patience)
		}
		if err := g.wait(g.drain); err != nil {
			return err
		}
		if err := g.receive(func(int64) {}); err != nil {
			return err
		}
	}
	return nil
}

// open returns the number of outstanding answers.
func (g *Generator) open() (n int) {
	for _, c := range g.connections {
		n += len(c.due)
	}
	return n
}

// wait waits until something arrives, or for d.
func (g *Generator) wait(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	for i, c := range g.connections {
		g.poll[i].Events = unix.POLLIN
		if len(c.unsent) > 0 {
			g.poll[i].Events |= unix.POLLOUT
		}
	}
	timeout := unix.NsecToTimespec(int64(d))
	_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&g.poll[0])), uintptr(len(g.poll)), uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return fmt.Errorf("ppoll: %w", errno)
	}
	return nil
}

func (g *Generator) receive(answered func(due int64)) error {
	for _, c := range g.connections {
		if len(c.due) == 0 {
			continue
		}
		if err := c.flush(); err != nil {
			return err
		}
		if err := c.receive(g.buf, func(due int64) {
			g.now = clock()
			answered(due)
		}); err != nil {
			return err
		}
	}
	return nil
}

// epoch of [clock].
var epoch = time.Now()

// clock is a monotonic clock in ns.
func clock() int64 { return int64(time.Since(epoch)) }

// record records a value; one that is out of range counts as the range's end.
func record(h *hdrhistogram.Histogram, ns int64) {
	_ = h.RecordValue(min(max(ns, leastLatency), mostLatency)) // cannot fail within the range
}
