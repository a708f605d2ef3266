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

	"github.com/vlibos/vlibos/bench/beside"
	"github.com/vlibos/vlibos/throttle/tally"
)

// connections that the load is spread over.
const connections = 16

// What a histogram of latencies holds, in nanoseconds, with 3 digits.
const (
	leastLatency = 100
	mostLatency  = int64(10 * time.Second)
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(leastLatency, mostLatency, 3) }

// order to the load generator: one line of JSON.
type order struct {
	Rate int `json:"rate"` // requests a second
	// Settle is how long requests are made, and answered, before they count.
	Settle time.Duration `json:"settle"`
	Time   time.Duration `json:"time"`
	Seed   uint64        `json:"seed"`
}

// result of an order: one line of JSON.
type result struct {
	Latencies *hdrhistogram.Snapshot `json:"latencies"`
	// Late is how late the generator itself was, which is in the latencies.
	Late *hdrhistogram.Snapshot `json:"late"`
	// Unanswered requests were still so a second after the end.
	Unanswered int `json:"unanswered"`
}

// Load is the process that generates the load: orders come in on standard input.
// It is first on its CPU, and only it is: what it measures is not itself. In a
// file it tallies each latency as it comes, for who controls the neighbours.
func Load(address, file string, in io.Reader, out io.Writer) (err error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	g, err := newGenerator(at)
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.fill(); err != nil {
		return err
	}
	felt, err := tally.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, felt.Close()) }()
	g.felt = func(ns int64) { felt.Add(1, time.Duration(ns)) }
	if err := beside.Realtime(); err != nil {
		return err
	}
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	if err := answers.Encode("ready"); err != nil {
		return err
	}
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		r, err := g.run(o)
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

type generator struct {
	connections []*connection
	poll        []unix.PollFd
	buf         []byte
	now         int64
	felt        func(ns int64) // is told each latency
}

func newGenerator(at netip.AddrPort) (*generator, error) {
	g := &generator{buf: make([]byte, 256<<10), felt: func(int64) {}}
	for range connections {
		c, err := dial(at)
		if err != nil {
			g.close()
			return nil, err
		}
		g.connections = append(g.connections, c)
		g.poll = append(g.poll, unix.PollFd{Fd: int32(c.fd)})
	}
	return g, nil
}

func (g *generator) close() {
	for _, c := range g.connections {
		c.close()
	}
}

// ahead is how many values are on their way at a time while filling.
const ahead = 4 * connections

// fill stores all values.
func (g *generator) fill() error {
	m := newMix(0)
	for key := range uint32(keys) {
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

// drain is how long answers are waited for when all requests are sent.
const drain = time.Second

func (g *generator) run(o order) (result, error) {
	random := rand.New(rand.NewPCG(o.Seed, 11))
	m := newMix(o.Seed)
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
				return result{}, err
			}
			n++
			due += int64(random.ExpFloat64() * gap)
			g.now = clock()
		}
		if err := g.receive(answered); err != nil {
			return result{}, err
		}
		open := g.open()
		if due >= end && (open == 0 || g.now > end+int64(drain)) {
			break
		}
		next := due
		if due >= end {
			next = end + int64(drain)
		}
		if err := g.wait(time.Duration(next - clock())); err != nil {
			return result{}, err
		}
	}
	// Those that still wait count with what they have waited by now.
	r := result{Late: late.Export(), Unanswered: g.open()}
	for _, c := range g.connections {
		for _, w := range c.due {
			record(latencies, g.now-w.at)
		}
	}
	r.Latencies = latencies.Export()
	return r, g.settle()
}

// settle waits for the answers that are still to come: the next measurement
// begins with none.
func (g *generator) settle() error {
	for end := clock() + int64(patience); g.open() > 0; {
		if clock() > end {
			return fmt.Errorf("%d requests are not answered within %v: the service stands still", g.open(), patience)
		}
		if err := g.wait(drain); err != nil {
			return err
		}
		if err := g.receive(func(int64) {}); err != nil {
			return err
		}
	}
	return nil
}

// open is how many answers are to come.
func (g *generator) open() (n int) {
	for _, c := range g.connections {
		n += len(c.due)
	}
	return n
}

// wait until something comes, or for a time.
func (g *generator) wait(d time.Duration) error {
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

func (g *generator) receive(answered func(due int64)) error {
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

// clock is monotonic, in ns.
func clock() int64 { return int64(time.Since(epoch)) }

// record never loses one: what is out of range counts as the end of it.
func record(h *hdrhistogram.Histogram, ns int64) {
	_ = h.RecordValue(min(max(ns, leastLatency), mostLatency)) // cannot fail within the range
}
