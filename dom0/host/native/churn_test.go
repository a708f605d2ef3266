// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/testkit"
)

// 200 domains appear, are adopted, gated, changed and released, and go in every
// order; with VLIBOS_SOAK for about 5 minutes a version. The test looks for
// leftovers here; TestMain and versions look for goroutines and cgroups.
func TestChurn(t *testing.T) {
	steps := 600
	if os.Getenv("VLIBOS_SOAK") != "" {
		steps *= 200
	}
	versions(t, func(t *testing.T, p *Host, o Options) {
		before := len(testkit.Descriptors())
		q := open1(t, o)
		if err := q.Renew(time.Hour); err != nil {
			t.Fatal(err)
		}
		const domains, workers = 200, 8
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				r := rand.New(rand.NewPCG(uint64(w), 1))
				for range steps {
					n := w*domains/workers + r.IntN(domains/workers)
					if err := live(q, fmt.Sprint("d", n), uint32(n+1), r); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		left, err := q.Domains(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range left {
			if err := q.Remove(ctx, d.ID); err != nil {
				t.Error(err)
			}
		}
		if err := q.k.Do(ctx, func() {
			if len(q.k.adopted)+q.k.Len()+len(q.k.watch.sleepers) > 0 {
				t.Errorf("still kept: %v", q.k.adopted)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if after := len(testkit.Descriptors()); after != before {
			t.Errorf("%d files open, before it were %d", after, before)
		}
		t.Logf("%d domains left in the end", len(left))
	})
}

// live does one thing to a domain. That it may not be there is what is tested.
func live(p *Host, name string, id uint32, r *rand.Rand) error {
	d := domain(name)
	var err error
	switch r.IntN(10) {
	case 0, 1, 2:
		err = p.Create(name)
		if errors.Is(err, os.ErrExist) {
			err = nil
		}
	case 3, 4:
		period := time.Duration(r.IntN(100)+1) * ms
		err = p.Reserve(ctx, d.On(task(id, period/time.Duration(r.IntN(20)+1), period)))
	case 5:
		err = p.Unreserve(ctx, on(d, id))
	case 6:
		err = p.Gate(ctx, d, r.IntN(2) == 0)
	case 7:
		_, err = p.Usage(ctx, on(d, id))
	case 8:
		err = p.Remove(ctx, name)
	case 9:
		if p.exists(name) == nil {
			err = visitor(p, name)
		}
	}
	if errors.Is(err, host.ErrNoDomain) {
		err = nil
	}
	return err
}

// visitor runs for a while in a domain that others may remove or stop.
func visitor(p *Host, name string) error {
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done")
	if err := cmd.Start(); err != nil {
		return err
	}
	for _, h := range p.layout.places() {
		err := cgroup.Write(h.dir+"/"+name+"/cgroup.procs", fmt.Sprint(cmd.Process.Pid))
		if err != nil && !cgroup.Gone(err) && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	// It may be stopped; the worker of that name is here and opens no gate.
	if err := p.Gate(ctx, domain(name), false); err != nil && !errors.Is(err, host.ErrNoDomain) {
		return err
	}
	return cmd.Wait()
}
