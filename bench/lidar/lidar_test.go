// SPDX-License-Identifier: Apache-2.0

package lidar

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The first lines are those of the device's protocol specification.
func TestFormatIsTheDevices(t *testing.T) {
	s := Scan{Time: 0x123456}
	for i := range s.Distances {
		s.Distances[i] = 1234 // CB in the specification's example
	}
	text := string(s.Append(nil))
	if len(text) != ScanSize {
		t.Fatalf("%d bytes, want %d", len(text), ScanSize)
	}
	lines := strings.Split(text, "\n")
	if lines[0] != request || lines[1] != "99b" || lines[2][:4] != "4SAF" {
		t.Errorf("%q", lines[:3])
	}
	if len(lines) != 3+blocks+2 || len(lines[3]) != blockSize+1 || !strings.HasPrefix(lines[3], "CBCB") {
		t.Errorf("%d lines, the data begins with %q", len(lines), lines[3])
	}
}

func TestDecodeRestoresAScanAndNoticesAChangedByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, got Scan
		s.Time = rapid.Uint32Range(0, 1<<24-1).Draw(t, "time")
		for i := range s.Distances {
			s.Distances[i] = rapid.Uint16Range(0, MaxRange).Draw(t, "mm")
		}
		text := s.Append(nil)
		if err := got.Decode(text); err != nil || got != s {
			t.Fatal(err)
		}
		// Decode notices a change of any one byte. A sum has 6 bits: a change of
		// the other 2 may stay unnoticed.
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		text[at] ^= byte(rapid.IntRange(1, 0x3f).Draw(t, "bits"))
		if at < len(text)-1 && got.Decode(text) == nil {
			t.Fatalf("byte %d", at)
		}
	})
}

func TestDecodeRefusesOtherAnswers(t *testing.T) {
	var s Scan
	text := s.Append(nil)
	if err := s.Decode(text[1:]); !errors.Is(err, errLength) {
		t.Error(err)
	}
	bad := append([]byte{}, text...)
	bad[len(request)+1] = '0' // status 09, with the sum of 99
	if err := s.Decode(bad); !errors.Is(err, errSum) {
		t.Error(err)
	}
	bad[len(request)+3] = sum([]byte("09"))
	if err := s.Decode(bad); err == nil || !strings.Contains(err.Error(), `status "09"`) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	var s Scan
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s Scan
		if s.Decode(text) == nil {
			_ = Decide(&s)
		}
	})
}

func TestDecideTurnsToTheNearestGap(t *testing.T) {
	free := func() *Scan {
		var s Scan
		for i := range s.Distances {
			s.Distances[i] = MaxRange
		}
		return &s
	}
	with := func(from, to int) func(*Scan) {
		return func(s *Scan) {
			for i := max(from, 0); i < min(to, Points); i++ {
				s.Distances[i] = near - 1
			}
		}
	}
	for _, c := range []struct {
		name string
		puts []func(*Scan)
		want Decision
	}{
		{"nothing", nil, Decision{}},
		{"beside", []func(*Scan){with(front+ahead+1, front+60)}, Decision{Objects: 1}},
		{"ahead, more to the right", []func(*Scan){with(front-40, front+20)}, Decision{Left, 20 + open - 1 - open/2, 1}},
		{"ahead, more to the left", []func(*Scan){with(front-20, front+40)}, Decision{Right, 20 + open - open/2, 1}},
		{"a gap that is too narrow", []func(*Scan){with(front-40, front+20), with(front+20+open-1, front+100)}, Decision{Right, 40 + open - open/2, 2}},
		{"no way to the left", []func(*Scan){with(front-20, Points)}, Decision{Right, 20 + open - open/2, 1}},
		{"no way", []func(*Scan){with(0, Points)}, Decision{Stop, 0, 1}},
	} {
		s := free()
		for _, put := range c.puts {
			put(s)
		}
		if got := Decide(s); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	// A distance that could not be measured is no obstacle.
	s := free()
	s.Distances[front] = leastValid - 1
	if got := Decide(s); got != (Decision{}) {
		t.Errorf("%+v", got)
	}
}

// The simulator shows the task each kind of situation, the same in each run.
func TestSceneHasEachKindOfSituation(t *testing.T) {
	one, other := newScene(), newScene()
	ways := make(map[Way]int)
	for range 2000 {
		var a, b Scan
		one.next(&a)
		other.next(&b)
		if a != b {
			t.Fatal("two runs differ")
		}
		ways[Decide(&a).Way]++
	}
	for _, w := range []Way{Straight, Left, Right} {
		if ways[w] < 50 {
			t.Errorf("way %d: %d of 2000", w, ways[w])
		}
	}
	t.Log(ways)
}
