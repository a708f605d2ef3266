// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package xenctl

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLabPoolHasItsCPUsAndScheduler(t *testing.T) {
	h := open(t)
	p, err := h.Pool(0)
	if err != nil || p.ID != 0 || p.Scheduler != Credit2 || len(p.CPUs) != 2 || p.CPUs[0] != 0 || p.CPUs[1] != 1 {
		t.Errorf("%+v, %v, want CPUs 0 and 1 under credit2", p, err)
	}
	if _, err := h.Pool(77); !errors.Is(err, ErrNotSupported) {
		t.Errorf("a pool that does not exist: %v", err)
	}
}

func TestLabAffinityOfEachVCPU(t *testing.T) {
	h := open(t)
	g := guest(t, h)
	cpus, err := h.Affinity(g.ID, 0)
	if err != nil || len(cpus) < 2 || cpus[0] != 0 || cpus[1] != 1 {
		t.Errorf("CPUs %v, %v, want all", cpus, err)
	}
	for _, tt := range []struct {
		domid uint16
		vcpu  int
	}{{g.ID, g.MaxVCPUID + 1}, {999, 0}} {
		if _, err := h.Affinity(tt.domid, tt.vcpu); !errors.Is(err, ErrNoDomain) {
			t.Errorf("vCPU %d of domain %d: %v", tt.vcpu, tt.domid, err)
		}
	}
}

func TestLabWeightIsSetUnderItsSchedulerOnly(t *testing.T) {
	h := open(t)
	id := guest(t, h).ID
	before, err := h.Weight(id, Credit2)
	if err != nil || before != (Weight{Weight: 256}) {
		t.Fatalf("%+v, %v, want Xen's default", before, err)
	}
	for _, w := range []Weight{{Weight: 65535}, {Weight: 1, Cap: 50}, before} {
		if err := h.SetWeight(id, Credit2, w); err != nil {
			t.Fatal(err)
		}
		if got, err := h.Weight(id, Credit2); err != nil || got != w {
			t.Errorf("%+v, %v, want %+v", got, err, w)
		}
	}
	if _, err := h.Weight(id, Credit); !errors.Is(err, unix.EINVAL) {
		t.Errorf("under another scheduler: %v", err)
	}
	if _, err := h.Weight(id, Null); !errors.Is(err, ErrNotSupported) {
		t.Errorf("under one without weights: %v", err)
	}
	if _, err := h.Weight(999, Credit2); !errors.Is(err, ErrNoDomain) {
		t.Errorf("of a domain that does not exist: %v", err)
	}
}

// Each CPU that has nothing to run counts that as idle.
func TestLabIdleTimesGrowWhileNothingRuns(t *testing.T) {
	h := open(t)
	before, err := h.IdleTimes()
	if err != nil {
		t.Fatal(err)
	}
	const slept = 200 * time.Millisecond
	time.Sleep(slept)
	after, err := h.IdleTimes()
	if err != nil || len(after) != 2 || len(before) != 2 {
		t.Fatalf("%v, then %v, %v: want two CPUs", before, after, err)
	}
	for c := range after {
		if grew := after[c] - before[c]; grew <= 0 || grew > 10*slept {
			t.Errorf("CPU %d was idle for %v more after %v of sleep", c, grew, slept)
		}
	}
}
