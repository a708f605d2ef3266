// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

const (
	remedyModule = "'make hypervisor' builds Xen with it; in the lab: vliblab run --xen vlib"
	remedyPool   = `boot Xen with sched=vlib, or make a cpupool: xl cpupool-create 'name="vlib"' 'sched="null"' 'cpus=["1"]' (null's number is the module's)`
	remedyLate   = "boot Xen with timer_slop= increased by the difference, in ns, so that admission allows for it; in the emulated lab this finding means nothing"
)

// mostCPUs is more than any Xen supports.
const mostCPUs = 4096

func askModule(h *xenctl.Handle) Module {
	m, err := vlib.Open(h)
	if err != nil {
		return moduleProblem(err)
	}
	i, err := m.Info()
	if err != nil {
		return moduleProblem(err)
	}
	found := Module{
		Present: true, Revision: i.Module, Version: i.Version, CPUs: i.CPUs, Host: i.Host,
		Counters: i.Counters.String(), Reservations: i.Reservations, Lease: i.Lease, LeasesLost: i.LeasesLost,
		Late: i.Late,
	}
	for cpu, driven := 0, 0; driven < i.CPUs && cpu < mostCPUs; cpu++ {
		c, err := m.CPU(cpu)
		if err != nil { // offline, or under another scheduler
			continue
		}
		driven++
		if c.Worst > i.Late {
			found.Overruns = append(found.Overruns, Overrun{cpu, c.Worst})
		}
	}
	return found
}

func moduleProblem(err error) Module {
	if errors.Is(err, vlib.ErrAbsent) {
		return Module{Absent: true}
	}
	return Module{Problem: err.Error(), Denied: errors.Is(err, fs.ErrPermission)}
}

// findings is silent if Xen could not be asked, which another finding reports.
func (m Module) findings() []Finding {
	switch {
	case m.Absent:
		return []Finding{{Note, "module", "absent: this Xen does not know the hypercall; calls work, but charging them to reservations, " +
			"closing gates and throttling by memory latency in the hypervisor need it", remedyModule}}
	case m.Denied:
		return []Finding{{Note, "module", m.Problem, remedyRoot}}
	case m.Problem != "":
		return []Finding{{Note, "module", m.Problem, remedyModule}}
	case !m.Present:
		return nil
	}
	text := fmt.Sprintf("revision %d, interface version %d, ", m.Revision, m.Version)
	if m.CPUs == 0 {
		return []Finding{{Note, "module", text + "but its scheduler has no CPU: no reservation and no gate is possible", remedyPool}}
	}
	where := "Dom0 is under another scheduler"
	if m.Host {
		where = "Dom0's among them"
	}
	lease := "none"
	if m.Lease > 0 {
		lease = m.Lease.Round(time.Millisecond).String() + " left"
	}
	text += fmt.Sprintf("drives CPUs: %d (%s), reservations: %d, uncore counters: %s, lease: %s",
		m.CPUs, where, m.Reservations, m.Counters, lease)
	if m.LeasesLost > 0 {
		text += fmt.Sprintf(", lost: %d", m.LeasesLost)
	}
	findings := []Finding{{OK, "module", text, ""}}
	for _, o := range m.Overruns {
		findings = append(findings, Finding{Note, "module", fmt.Sprintf("a budget on CPU %d ended %v late, and admission allows for %v: "+
			"reservations there may have missed their periods", o.CPU, o.By, m.Late), remedyLate})
	}
	return findings
}
