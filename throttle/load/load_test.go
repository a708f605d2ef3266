// SPDX-License-Identifier: Apache-2.0

package load

import (
	"testing"
	"time"
)

func TestRingIsOneCycleThroughAll(t *testing.T) {
	for _, size := range []int{Line, 2 * Line, 3 * Line, 4 << 10, 1 << 20, 1<<20 + 77*Line} {
		ring(t, size)
	}
}

func ring(t *testing.T, size int) {
	t.Helper()
	r, err := NewRing(size)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Free(); err != nil {
			t.Error(err)
		}
	}()
	seen := map[uint64]bool{}
	at := uint64(0)
	for range size / Line {
		at = r.Follow(at, 1)
		if seen[at] {
			t.Fatalf("of %d bytes, line %d is visited again after %d", size, at/words, len(seen))
		}
		seen[at] = true
	}
	if at != 0 {
		t.Errorf("of %d bytes, it ends at %d", size, at)
	}
}

// Hardware cannot predict a step: steps of equal length are as rare as in a
// shuffle, and parts of the ring are about as far apart as they can be.
func TestHardwareCannotPredictTheRing(t *testing.T) {
	o := newOrder(100_000)
	lengths, next, far := map[uint64]int{}, map[uint64]int{}, 0
	for place := range o.n {
		a, b := o.line(place), o.line((place+1)%o.n)
		lengths[b-a]++
		next[(a%64)*64+b%64]++ // by a line's place in its page, and that of the next line
		if max(a, b)-min(a, b) > o.n/4 {
			far++
		}
	}
	for length, times := range lengths {
		if times > 20 {
			t.Errorf("%d steps of %d", times, int64(length))
		}
	}
	for pair, times := range next { // 24 are expected
		if times > 60 {
			t.Errorf("from line %d of a page to line %d %d times", pair/64, pair%64, times)
		}
	}
	// For two random lines it is 9/16.
	if share := float64(far) / float64(o.n); share < 0.54 || share > 0.585 {
		t.Errorf("%.3f of the steps are long", share)
	}
}

func TestStreamWritesEachLineOnce(t *testing.T) {
	const size = 64 << 10
	s, err := NewStream(size)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Free(); err != nil {
			t.Error(err)
		}
	}()
	lines := 0
	for range stride / Line {
		lines += s.Column()
	}
	if lines != size/Line {
		t.Errorf("%d lines of %d", lines, size/Line)
	}
	for i := range size / Line {
		if s.bytes[i*Line] != 1 || s.bytes[i*Line+1] != 0 {
			t.Fatalf("line %d was written %d times", i, s.bytes[i*Line])
		}
	}
	if _, err := NewStream(1000); err == nil {
		t.Error("1000 bytes are accepted")
	}
}

func TestStreamKeepsToItsDuty(t *testing.T) {
	s, err := NewStream(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Free(); err != nil {
			t.Error(err)
		}
	}()
	rounds, lines := 0, 0
	begin := time.Now()
	s.Run(func() float64 { return 0.1 }, func() bool { return rounds == 50 }, func(n int) { rounds++; lines += n })
	// It sleeps for nine tenths of 50 slices, however slow the machine is.
	if took := time.Since(begin); took < 50*slice*8/10 || lines == 0 {
		t.Errorf("%d lines in %v", lines, took)
	}
}
