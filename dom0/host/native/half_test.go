// SPDX-License-Identifier: Apache-2.0

package native

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
)

// A domain that lacks some of its cgroups, as an interrupted creation or
// removal leaves it, makes every operation on it fail, and the host serves the
// others.
func TestHalfADomainIsAnError(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		places := p.layout.places()
		if len(places) == 1 {
			t.Skip("a domain is one cgroup here")
		}
		for _, missing := range places[1:] {
			if missing.dir == p.layout.cpuset.dir {
				continue // it need not be there
			}
			if err := p.Create("half"); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(missing.dir, "half")); err != nil {
				t.Fatal(err)
			}
			d := host.Domain{ID: "half", Name: "half", UUID: "half"}
			if err := p.Reserve(ctx, d.On(task(1, 10*ms, 100*ms))); err == nil {
				t.Errorf("adopted without %s", missing.dir)
			}
			if err := p.Reserve(ctx, calls(d, task(2, 10*ms, 100*ms))); err == nil {
				t.Errorf("paid for without %s", missing.dir)
			}
			tool := exec.Command("sleep", "1000")
			if err := tool.Start(); err != nil {
				t.Fatal(err)
			}
			err := p.Reserve(ctx, host.Reservation{
				Task: task(3, 10*ms, 100*ms), Holder: host.Holder{Threads: &host.Members{PID: tool.Process.Pid}}, Callees: callees(d),
			})
			tool.Process.Kill()
			tool.Wait()
			if err == nil {
				t.Errorf("called without %s", missing.dir)
			}
			if err := p.Remove(ctx, "half"); err != nil {
				t.Error(err)
			}
			if err := p.Create("half"); err != nil {
				t.Fatal(err)
			}
			if err := p.Reserve(ctx, d.On(task(1, 10*ms, 100*ms))); err != nil {
				t.Error(err)
			}
			if err := p.Unreserve(ctx, on(d, 1)); err != nil {
				t.Error(err)
			}
			if err := p.Remove(ctx, "half"); err != nil {
				t.Error(err)
			}
		}
	})
}
