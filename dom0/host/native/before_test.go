// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/testkit"
)

// beforehand are settings that an operator may have given a cgroup.
var beforehand = []struct {
	name string
	weight
	idle bool
}{
	{"heavier", weight{v1: 5000, v2: 500}, false},
	{"lighter", weight{v1: 20, v2: 2}, false},
	{"idle", weight{}, true},
}

// give sets a cgroup as an operator does.
func give(t *testing.T, p *Host, name string, w weight, idle bool) {
	t.Helper()
	dir := filepath.Join(p.layout.cpu.dir, name)
	file, text := "cpu.idle", "1"
	if !idle {
		file, text = "cpu.shares", w.text(1)
		if p.layout.cpu.version == 2 {
			file, text = "cpu.weight", w.text(2)
		}
		if err := cgroup.Write(filepath.Join(dir, "cpu.idle"), "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := cgroup.Write(filepath.Join(dir, file), text); errors.Is(err, os.ErrNotExist) {
		t.Skip("the kernel has no cpu.idle")
	} else if err != nil {
		t.Fatal(err)
	}
}

// has reports whether a cgroup has what an operator gave it.
func has(t *testing.T, p *Host, name string, w weight, idle bool) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.layout.cpu.dir, name, "cpu.idle"))
	if err == nil && string(text) != strconv.Itoa(map[bool]int{true: 1}[idle])+"\n" {
		return false
	}
	return idle || shares(t, p, name) == w.text(p.layout.cpu.version)
}

// recorded reports whether something is to be undone of a cgroup.
func recorded(t *testing.T, p *Host, name string) bool {
	t.Helper()
	d, err := openDial(filepath.Join(p.layout.cpu.dir, name), p.layout.cpu.version)
	if err != nil {
		t.Fatal(err)
	}
	_, ok, err := d.recorded()
	if err = errors.Join(err, d.close()); err != nil {
		t.Fatal(err)
	}
	return ok
}

// A domain that is released has what it had, in foreground and in background, and
// so has the parent, which is made heavy meanwhile.
func TestReleaseRestoresWhatWas(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		for _, b := range beforehand {
			t.Run(b.name, func(t *testing.T) {
				d, _ := start(t, p, "d", spin)
				give(t, p, "d", b.weight, b.idle)
				if !b.idle {
					give(t, p, "", b.weight, false)
				}
				adopt(t, p, d, 1, 5*ms, 50*ms)
				for _, background := range []bool{true, false} {
					testkit.Eventually(t, "the domain is in either", func() bool {
						return backgrounded(t, p, "d") == background
					})
				}
				if err := p.Unreserve(ctx, on(d, 1)); err != nil {
					t.Fatal(err)
				}
				if !has(t, p, "d", b.weight, b.idle) || recorded(t, p, "d") {
					t.Errorf("weight %s, in background %v, recorded %v", shares(t, p, "d"), backgrounded(t, p, "d"), recorded(t, p, "d"))
				}
				if !b.idle && !has(t, p, "", b.weight, false) {
					t.Errorf("the parent's weight is %s", shares(t, p, ""))
				}
			})
		}
	})
}

// What an operator sets while a domain is adopted is what it has afterwards.
func TestReleaseRestoresWhatWasSetMeanwhile(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		d, _ := start(t, p, "d", "sleep 1000")
		adopt(t, p, d, 1, 5*ms, 50*ms)
		w := weight{v1: 3000, v2: 300}
		give(t, p, "d", w, false)
		if err := p.Unreserve(ctx, on(d, 1)); err != nil || !has(t, p, "d", w, false) {
			t.Errorf("%v, weight %s", err, shares(t, p, "d"))
		}
	})
}

// A guard gives a domain of a dead daemon what it had, and touches no other.
func TestGuardRestoresWhatWas(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		for _, name := range []string{"gated", "budgeted", "other"} {
			start(t, p, name, spin)
		}
		budgeted, other, parent := weight{v1: 5000, v2: 500}, weight{v1: 77, v2: 7}, weight{v1: 2048, v2: 200}
		give(t, p, "budgeted", budgeted, false)
		give(t, p, "other", other, false)
		give(t, p, "", parent, false)
		cmd, _ := startDaemon(t, o)
		if has(t, p, "budgeted", budgeted, false) || !p.k.byPriority && has(t, p, "", parent, false) {
			t.Error("the daemon does nothing")
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "weights are back", func() bool {
			return has(t, p, "budgeted", budgeted, false) && has(t, p, "", parent, false) && !recorded(t, p, "budgeted")
		})
		if !has(t, p, "other", other, false) {
			t.Errorf("the other domain has weight %s", shares(t, p, "other"))
		}
	})
}

// A guard opens what its daemon has closed, and leaves stopped what an operator has.
func TestGuardLeavesWhatAnOperatorStopped(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		for _, name := range []string{"gated", "budgeted", "other"} {
			start(t, p, name, spin)
		}
		control := filepath.Join(p.layout.freezer.dir, "other", p.layout.freezeControl())
		if err := cgroup.Write(control, freezeWord(p.layout.freezer.version == 2, true)); err != nil {
			t.Fatal(err)
		}
		cmd, _ := startDaemon(t, o)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "its gate is open", func() bool { return p.open(t, "gated") && p.open(t, "budgeted") && p.light(t) })
		testkit.Eventually(t, "guard ends", func() bool { return !guarded(t, o.Parent) })
		if p.open(t, "other") {
			t.Error("the guard has resumed a domain that an operator had stopped")
		}
	})
}

// What neither a daemon nor its guard gave back the next daemon does, also of a
// domain that it adopts and releases.
func TestNextProcessRestoresWhatWas(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		w := weight{v1: 5000, v2: 500}
		for _, name := range []string{"adopted", "not"} {
			start(t, p, name, "sleep 1000")
			give(t, p, name, w, false)
			g, err := openGroup(p.layout, name)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(g.setWeight(heaviest), g.setIdle(), g.close()); err != nil {
				t.Fatal(err)
			}
		}
		adopt(t, p, domain("adopted"), 1, 5*ms, 50*ms)
		if err := p.Renew(time.Minute); err != nil {
			t.Fatal(err)
		}
		if !has(t, p, "not", w, false) {
			t.Errorf("weight %s", shares(t, p, "not"))
		}
		if has(t, p, "adopted", w, false) {
			t.Error("what is adopted was given back, too")
		}
		if err := p.Unreserve(ctx, on(domain("adopted"), 1)); err != nil || !has(t, p, "adopted", w, false) {
			t.Errorf("%v, weight %s", err, shares(t, p, "adopted"))
		}
	})
}
