// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall/builtin"
)

func TestFirstRuleThatAllowsACallDecides(t *testing.T) {
	web, db := Target{"web", 1}, Target{"db", 1}
	rules := Rules{
		{Who: "alice", ID: 1000, Target: web, Library: "libz.so.1", Functions: []string{"crc32", "adler32"}, Timeout: 1},
		{Who: "analysts", ID: 500, IsGroup: true, Target: web, Library: All, Functions: []string{All}, Timeout: 2},
		{Who: "bob", ID: 1001, Target: db, Library: All, Functions: []string{"get"}, Timeout: 3},
		{Who: "alice again", ID: 1000, Target: web, Library: All, Functions: []string{All}, Timeout: 4},
		{Who: "a group whose number is a user's", ID: 2000, IsGroup: true, Target: web, Library: All, Functions: []string{All}, Timeout: 5},
	}
	alice, bob := Caller{UID: 1000, GID: 1000}, Caller{UID: 1001, GID: 1001}
	for _, tt := range []struct {
		who      Caller
		target   Target
		lib, fun string
		want     time.Duration // its rule's timeout; 0: none
	}{
		{alice, web, "libz.so.1", "crc32", 1},
		{alice, web, "libz.so.1", "deflate", 4},
		{alice, web, "libc.so.6", "crc32", 4},
		{alice, db, "libz.so.1", "get", 0},
		{alice, Target{"web", 2}, "libz.so.1", "crc32", 0},
		{bob, web, "libz.so.1", "crc32", 0},
		{bob, db, "any", "get", 3},
		{bob, db, "any", "set", 0},
		{Caller{UID: 7, GID: 500}, web, "a", "b", 2},
		{Caller{UID: 7, GID: 7, Groups: []uint32{3, 500}}, web, "a", "b", 2},
		{Caller{UID: 500, GID: 7, Groups: []uint32{3}}, web, "a", "b", 0},
		{Caller{UID: 7, GID: 1000, Groups: []uint32{1000}}, web, "libz.so.1", "crc32", 0},
		{Caller{UID: 2000, GID: 7}, web, "a", "b", 0},
		{Caller{UID: 0, GID: 0}, web, "a", "b", 0},
		{alice, web, "", "", 4},
		{Caller{UID: 1001}, db, "", All, 0}, // the star is no function's name
	} {
		var got time.Duration
		if r := rules.Decide(tt.who, tt.target, tt.lib, tt.fun); r != nil {
			got = r.Timeout
		}
		if got != tt.want {
			t.Errorf("%+v %v %s:%s: rule %d, want %d", tt.who, tt.target, tt.lib, tt.fun, got, tt.want)
		}
		if got != 0 && !rules.Concern(tt.who, tt.target) {
			t.Errorf("%+v %v: may call, and is of no concern", tt.who, tt.target)
		}
	}
	if rules.Concern(bob, web) || len(rules.Targets()) != 2 {
		t.Error(rules.Targets())
	}
	if m := Missing(bob, web, "l", "f"); strings.Contains(m, "alice") || !strings.Contains(m, `user = 1001, domain = "web", port = 1, library = "l", function = "f"`) {
		t.Error(m)
	}
}

func TestRunningCommandsIsAllowedByNameAlone(t *testing.T) {
	if runLibrary != builtin.Library || runFunction != builtin.Run {
		t.Errorf("the function is %s %s", builtin.Library, builtin.Run)
	}
	c, target := Caller{UID: 1}, Target{"web", 1}
	for _, tt := range []struct {
		library   string
		functions []string
		run, echo bool
	}{
		{All, []string{All}, false, true},
		{All, []string{builtin.Run}, false, false},
		{builtin.Library, []string{All}, false, true},
		{builtin.Library, []string{builtin.Echo, builtin.Run}, true, true},
		{builtin.Library, []string{All, builtin.Run}, true, true},
	} {
		rules := Rules{{ID: 1, Target: target, Library: tt.library, Functions: tt.functions}}
		if got := rules.Decide(c, target, builtin.Library, builtin.Run) != nil; got != tt.run {
			t.Errorf("%s %s: run %v", tt.library, tt.functions, got)
		}
		if got := rules.Decide(c, target, builtin.Library, builtin.Echo) != nil; got != tt.echo {
			t.Errorf("%s %s: echo %v", tt.library, tt.functions, got)
		}
	}
}

func TestWedgedDomainIsReportedAndRestartedWithPauses(t *testing.T) {
	start := time.Unix(1000, 0)
	w := Wedge{After: 10 * time.Second, Restarts: true}
	type step struct {
		at    time.Duration
		stuck bool
		want  Event
	}
	run := func(steps ...step) {
		t.Helper()
		for _, s := range steps {
			if got := w.Look(start.Add(s.at), s.stuck); got != s.want {
				t.Fatalf("at %v: %v, want %v", s.at, got, s.want)
			}
		}
	}
	const s, m, h = time.Second, time.Minute, time.Hour
	run(step{0, false, Nothing}, step{1 * s, true, Nothing}, step{9 * s, true, Nothing}, step{10 * s, false, Nothing},
		// It begins again.
		step{11 * s, true, Nothing}, step{20 * s, true, Nothing}, step{21 * s, true, Restart}, step{22 * s, true, Nothing},
		step{30 * s, false, Back}, step{31 * s, false, Nothing},
		// Wedged again within the pause: it is reported at once, and restarted
		// after the pause.
		step{40 * s, true, Nothing}, step{50 * s, true, Found}, step{51 * s, true, Nothing}, step{81 * s, true, Restart},
		// The restart did not help: the next one comes after twice the pause.
		step{81*s + m, true, Nothing}, step{81*s + 2*m, true, Restart}, step{81*s + 5*m, true, Nothing}, step{81*s + 6*m, true, Restart},
		step{7 * m, true, Nothing}, step{8 * m, false, Back},
		// Well for a long time: the history is forgotten.
		step{3 * h, true, Nothing}, step{3*h + 10*s, true, Restart}, step{3*h + 11*s, false, Back},
		step{3*h + 20*s, true, Nothing}, step{3*h + 71*s, true, Restart})
	if w.Count != 6 {
		t.Errorf("%d restarts", w.Count)
	}
	// However often it wedges, restarts are at least a minute apart.
	w = Wedge{After: s, Restarts: true}
	var last time.Duration
	for at := time.Duration(0); at < 100*h; at += 700 * time.Millisecond {
		if w.Look(start.Add(at), at%(7*s) != 0) == Restart {
			if last != 0 && at-last < m {
				t.Fatalf("restarts at %v and %v", last, at)
			}
			last = at
		}
	}
	if w.Count > 110 || w.Count < 90 {
		t.Errorf("%d restarts in 100 hours", w.Count)
	}
	w = Wedge{After: s}
	run(step{0, true, Nothing}, step{1 * s, true, Found}, step{100 * h, true, Nothing}, step{101 * h, false, Back}, step{102 * h, true, Nothing})
}
