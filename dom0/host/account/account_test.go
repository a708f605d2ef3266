// SPDX-License-Identifier: Apache-2.0

package account

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vlibos/vlibos/rtsched"
)

const ms = time.Millisecond

func TestAccount(t *testing.T) {
	type look struct{ now, used, others time.Duration }
	for _, tt := range []struct {
		name         string
		cpus         int
		contended    bool
		looks        []look
		front, back  time.Duration
		pending      time.Duration
		left, next   time.Duration
		asleep, fore bool
	}{
		{"part of it", 1, false, []look{{4 * ms, 4 * ms, 0}}, 4 * ms, 0, 0, 6 * ms, 0, false, true},
		{"all of it", 1, false, []look{{10 * ms, 10 * ms, 0}}, 10 * ms, 0, 0, 0, 100 * ms, false, false},
		{"beyond it in background", 1, false, []look{{10 * ms, 10 * ms, 0}, {50 * ms, 7 * ms, 0}}, 10 * ms, 7 * ms, 0, 0, 100 * ms, false, false},
		{"overrun is of the next", 1, false, []look{{12 * ms, 12 * ms, 0}}, 10 * ms, 0, 2 * ms, 0, 100 * ms, false, false},
		{"and paid then", 1, false, []look{{12 * ms, 12 * ms, 0}, {100 * ms, 0, 0}}, 12 * ms, 0, 0, 8 * ms, 100 * ms, false, true},
		{"whole budgets of it never", 1, false, []look{{33 * ms, 33 * ms, 0}}, 10 * ms, 20 * ms, 3 * ms, 0, 300 * ms, false, false},
		{"sleeps", 1, false, []look{{10 * ms, 0, 0}}, 0, 0, 0, 10 * ms, 0, true, true},
		{"may have waited", 1, false, []look{{10 * ms, 0, 9 * ms}}, 0, 0, 0, 10 * ms, 0, false, true},
		{"too short to tell", 1, false, []look{{ms / 2, 0, 0}}, 0, 0, 0, 10 * ms, 0, false, true},
		{"wakes, and the refill is dated from then", 1, false, []look{{40 * ms, 0, 0}, {50 * ms, 10 * ms, 0}}, 10 * ms, 0, 0, 0, 140 * ms, false, false},
		{"slept in between", 1, false, []look{{50 * ms, 10 * ms, 0}}, 10 * ms, 0, 0, 0, 140 * ms, false, false},
		{"two at once can have begun later", 2, false, []look{{50 * ms, 10 * ms, 0}}, 10 * ms, 0, 0, 0, 145 * ms, false, false},
		{"waited longer for who has no budget", 1, false, []look{{ms, ms, 0}, {5 * ms, 0, 4 * ms}, {6 * ms, ms, 0}}, 2 * ms, 0, 0, 8 * ms, 5 * ms, false, true},
		{"waited for who has no budget", 1, false, []look{{20 * ms, 10 * ms, 10 * ms}}, 10 * ms, 0, 0, 0, 110 * ms, false, false},
		{"waited for others in between", 1, true, []look{{ms, ms, 0}, {20 * ms, 9 * ms, 10*ms - disturbance}}, 10 * ms, 0, 0, 0, 100 * ms, false, false},
	} {
		a := New(rtsched.Task{ID: 1, Budget: 10 * ms, Period: 100 * ms}, tt.cpus, 0)
		var now time.Duration
		for _, l := range tt.looks {
			now = l.now
			a.Look(Reading{Now: l.now, Used: l.used, Others: l.others, Contended: tt.contended})
		}
		if a.Front != tt.front || a.Back != tt.back || a.pending != tt.pending || a.Asleep != tt.asleep || a.Foreground != tt.fore ||
			a.Server.Left(now) != tt.left || a.Server.Next() != tt.next && tt.next != 0 {
			t.Errorf("%s: %+v, left %v, next %v", tt.name, a, a.Server.Left(now), a.Server.Next())
		}
	}
}

// Whatever is read and when, nothing is lost or counted twice, no sum gets
// smaller, and from one moment to another there is not more foreground than
// budgets.
func TestAccountAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const budget, period = 10 * ms, 100 * ms
		cpus := rapid.IntRange(1, 4).Draw(t, "cpus")
		a := New(rtsched.Task{ID: 1, Budget: budget, Period: period}, cpus, 0)
		var now, used time.Duration
		for range rapid.IntRange(1, 200).Draw(t, "looks") {
			step := time.Duration(rapid.Int64Range(int64(MinLook), int64(40*ms)).Draw(t, "step"))
			u := time.Duration(rapid.Int64Range(0, int64(step)*int64(cpus)).Draw(t, "used"))
			before := a
			now, used = now+step, used+u
			a.Look(Reading{
				Now: now, Used: u, Others: time.Duration(rapid.Int64Range(0, int64(step)).Draw(t, "others")),
				Contended: rapid.Bool().Draw(t, "contended"), Waiting: rapid.Bool().Draw(t, "waiting"),
			})
			if a.Front < before.Front || a.Back < before.Back {
				t.Fatalf("less than before: %+v, %+v", before, a)
			}
			if sum := a.Front + a.Back + a.pending; sum != used {
				t.Fatalf("%v used, %v counted", used, sum)
			}
			if most := (now/period + 1) * budget; a.Front > most {
				t.Fatalf("%v of foreground by %v", a.Front, now)
			}
			if a.Foreground != (a.Server.Left(now) > 0) && a.Seen == now {
				t.Fatalf("foreground %v, left %v", a.Foreground, a.Server.Left(now))
			}
		}
	})
}

// Who is known to have waited for its budget has had a claim to it since it came;
// who sleeps, from when it wants to run.
func TestAccountWaiting(t *testing.T) {
	a := New(rtsched.Task{ID: 1, Budget: 10 * ms, Period: 100 * ms}, 1, 0)
	look := func(now, used time.Duration, waiting bool) {
		a.Look(Reading{Now: now, Used: used, Others: now - a.Seen - used, Contended: waiting, Waiting: waiting})
	}
	look(2*ms, 0, true) // it has begun now
	look(13*ms, 10*ms, true)
	if a.Foreground || a.Server.Next() != 102*ms {
		t.Errorf("foreground %v, next %v", a.Foreground, a.Server.Next())
	}
	look(104*ms, 3*ms, true) // the look is late, its budget was not
	look(120*ms, 10*ms, true)
	if a.Foreground || a.Server.Next() != 202*ms || a.Front != 20*ms || a.Back != 3*ms {
		t.Errorf("%+v, next %v", a, a.Server.Next())
	}
	look(204*ms, 0, false)
	look(250*ms, 0, false)
	look(260*ms, 0, true)
	if a.Asleep || a.Server.Left(260*ms) != 10*ms || a.Server.Next() != 260*ms {
		t.Errorf("who woke up: %+v, next %v", a, a.Server.Next())
	}
}

// Who may use two CPUs, and has wanted to run at both looks, did not sleep for
// half of the time between them.
func TestAccountAwake(t *testing.T) {
	for awake, next := range map[bool]time.Duration{false: 105 * ms, true: 101 * ms} {
		a := New(rtsched.Task{ID: 1, Budget: 8 * ms, Period: 100 * ms}, 2, 0)
		a.Look(Reading{Now: 9 * ms, Used: 8 * ms, Awake: awake})
		if a.Foreground || a.Server.Next() != next {
			t.Errorf("awake %v: foreground %v, next %v, want %v", awake, a.Foreground, a.Server.Next(), next)
		}
	}
}
