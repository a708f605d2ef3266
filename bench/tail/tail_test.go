// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// memory serves memcached's protocol. It sends each answer when answer returns.
func memory(t *testing.T, answer func()) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c, answer)
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func serve(c net.Conn, answer func()) {
	defer c.Close()
	in := bufio.NewReader(c)
	value := strings.Repeat("v", large.Size)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		answer()
		if words[0] == "set" {
			if _, err := io.CopyN(io.Discard, in, int64(large.Size)+2); err != nil {
				return
			}
			_, err = io.WriteString(c, stored)
		} else {
			_, err = fmt.Fprintf(c, "VALUE %s 0 %d\r\n%s\r\nEND\r\n", words[1], large.Size, value)
		}
		if err != nil {
			return
		}
	}
}

// A service that stands still delays all requests that are due meanwhile, not
// only those that were sent before: the generator continues.
func TestStandstillDelaysAllRequestsThatAreDue(t *testing.T) {
	const still, rate = 400 * time.Millisecond, 1000
	var until atomic.Int64
	g, err := newGenerator(memory(t, func() { time.Sleep(time.Duration(until.Load() - clock())) }), large)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	until.Store(clock() + int64(still))
	r, err := g.Run(Order{Rate: rate, Time: time.Second, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	h := hdrhistogram.Import(r.Latencies)
	if h.TotalCount() < 800 || h.TotalCount() > 1200 {
		t.Errorf("%d requests in a second at %d a second", h.TotalCount(), rate)
	}
	// Requests of its first half waited for at least half of it.
	var late int64
	for _, b := range h.Distribution() {
		if b.From >= int64(still/2) {
			late += b.Count
		}
	}
	if late < 80 {
		t.Errorf("%d requests waited for %v, of about 200 that had to", late, still/2)
	}
	if r.Unanswered != 0 {
		t.Errorf("%d unanswered", r.Unanswered)
	}
}

// An unanswered request counts with the time that it has waited. The next
// measurement begins without it.
func TestUnansweredRequestCountsWithItsWait(t *testing.T) {
	var until atomic.Int64
	g, err := newGenerator(memory(t, func() { time.Sleep(time.Duration(until.Load() - clock())) }), large)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.drain = 200 * time.Millisecond
	until.Store(clock() + int64(g.drain+time.Second))
	r, err := g.Run(Order{Rate: 200, Time: 100 * time.Millisecond, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	h := hdrhistogram.Import(r.Latencies)
	if r.Unanswered == 0 || int64(r.Unanswered) != h.TotalCount() {
		t.Errorf("%d unanswered of %d", r.Unanswered, h.TotalCount())
	}
	if h.Min() < int64(g.drain)*9/10 {
		t.Errorf("the least latency is %v", time.Duration(h.Min()))
	}
	if g.open() != 0 {
		t.Errorf("%d are still open", g.open())
	}
}

func TestFillStoresEveryValue(t *testing.T) {
	g, err := newGenerator(memory(t, func() {}), Data{Keys: 4 << 10, Size: large.Size})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.fill(); err != nil {
		t.Fatal(err)
	}
}

// Any other answer than the right one is an error, however reads divide it.
func TestWrongAnswerIsAnError(t *testing.T) {
	m := newMix(large, 1)
	get := m.next()
	for get.prefix != found {
		get = m.next()
	}
	right := "VALUE key00000001 0 4096\r\n" + strings.Repeat("v", large.Size) + "\r\nEND\r\n"
	for _, c := range []struct {
		answer string
		done   int
		err    string
	}{
		{right, 1, ""},
		{right[:100], 0, ""},
		{"END\r\n", 0, `answers "END`},
		{"SERVER_ERROR out of memory\r\n", 0, `answers "SERVER_E`},
		{right + "x", 1, "without a request"},
	} {
		for _, piece := range []int{1, 7, 100000} {
			con := &connection{due: []waiting{{0, get.answer, get.prefix}}}
			done, text := 0, []byte(c.answer)
			var err error
			for len(text) > 0 && err == nil {
				n := min(piece, len(text))
				err = con.take(text[:n], func(int64) { done++ })
				text = text[n:]
			}
			if done != c.done || (err == nil) != (c.err == "") {
				t.Errorf("%.20q in pieces of %d: %d answers, %v", c.answer, piece, done, err)
			}
			if err != nil && piece > 10 && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%.20q: %v, want %q in it", c.answer, err, c.err)
			}
		}
	}
}

// The mix has its share of sets, and is the same for the same seed.
func TestMixIsTheSameForTheSameSeed(t *testing.T) {
	a, b := newMix(large, 5), newMix(large, 5)
	sets := 0
	for range 20000 {
		x, y := a.next(), b.next()
		if string(x.text) != string(y.text) {
			t.Fatal("two mixes of one seed differ")
		}
		if x.prefix == stored {
			sets++
		}
	}
	if sets < 800 || sets > 1200 {
		t.Errorf("%d of 20000 are sets, want about %d", sets, 20*setsPerMille)
	}
}
