// SPDX-License-Identifier: Apache-2.0

package domains

import (
	"fmt"
	"strings"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/xenctl"
)

// Facts are what Xen has of a domain: its pool, and each vCPU with its CPU and its
// affinity; and then what more says of it, which also names the pool's scheduler.
func (l *List) Facts(d host.Domain, more func(domid uint16, p xenctl.Pool) (scheduler string, facts []host.Fact, err error)) ([]host.Fact, error) {
	domid, err := Number(d)
	if err != nil {
		return nil, err
	}
	info, err := l.h.DomainInfo(domid)
	if err != nil {
		return nil, err
	}
	pool, err := l.h.Pool(info.CPUPool)
	if err != nil {
		return nil, err
	}
	scheduler, others, failed := more(domid, pool)
	facts := []host.Fact{
		{Name: "state", Value: state(info)},
		{Name: "cpupool", Value: fmt.Sprintf("%d, scheduler %s, CPUs %s", pool.ID, scheduler, cpulist.Format(pool.CPUs))},
	}
	for i := range info.MaxVCPUID + 1 {
		v, err := l.h.VCPU(domid, i)
		if err != nil {
			return facts, err
		}
		if !v.Online {
			facts = append(facts, host.Fact{Name: fmt.Sprint("vCPU ", i), Value: "offline"})
			continue
		}
		cpus, err := l.h.Affinity(domid, i)
		if err != nil {
			return facts, err
		}
		facts = append(facts, host.Fact{Name: fmt.Sprint("vCPU ", i), Value: fmt.Sprintf("on CPU %d, %s, %v of CPU time, affinity %s",
			v.CPU, runs(v), v.CPUTime, cpulist.Format(cpus))})
	}
	return append(facts, others...), failed
}

func runs(v xenctl.VCPU) string {
	switch {
	case v.Running:
		return "running"
	case v.Blocked:
		return "blocked"
	}
	return "waiting for a CPU"
}

func state(info xenctl.DomainInfo) string {
	words := []string{"PV"}
	if info.HVM {
		words[0] = "HVM or PVH"
	}
	if info.Shutdown {
		words = append(words, "ended by "+info.ShutdownReason.String())
	}
	if info.Paused {
		words = append(words, "paused")
	}
	return fmt.Sprintf("%s, %d of %d vCPUs online, %d MiB of memory", strings.Join(words, ", "), info.OnlineVCPUs, info.MaxVCPUID+1, info.TotalPages/256)
}
