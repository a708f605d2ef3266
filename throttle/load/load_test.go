// SPDX-License-Identifier: Apache-2.0

package load

import (
	"testing"
	"time"
)

func TestRingIsOneCycleThroughAll(t *testing.T) {
	const size = 1 << 20
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
			t.Fatalf("line %d comes again after %d", at/words, len(seen))
		}
		seen[at] = true
	}
	if at != 0 {
		t.Errorf("it ends at %d", at)
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
		t.Error("1000 bytes are taken")
	}
}

func TestStreamHasADuty(t *testing.T) {
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
	// It sleeps nine tenths of 50 slices, however slow the machine is.
	if took := time.Since(begin); took < 50*slice*8/10 || lines == 0 {
		t.Errorf("%d lines in %v", lines, took)
	}
}
