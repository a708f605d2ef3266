// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/cpulist"
)

// Work implements host.Host: three files. Only version 2 of cgroups tells how long
// threads waited, and only if the kernel counts it.
func (p *Host) Work(_ context.Context, d host.Domain) (w host.Work, err error) {
	m, err := (cgroup.Tree{Version: p.layout.usage.version, Root: p.layout.usage.dir}).Meter(d.ID)
	if err != nil {
		return w, vanished(err)
	}
	defer m.Close()
	if w.CPU, err = m.Usage(); err != nil {
		return w, vanished(err)
	}
	if p.layout.usage.version == 2 {
		w.Steal = waited(filepath.Join(p.layout.usage.dir, d.ID, "cpu.pressure"))
	}
	text, err := os.ReadFile(filepath.Join(p.layout.freezer.dir, d.ID, p.layout.freezeControl()))
	if err != nil {
		return w, vanished(err)
	}
	w.Gate = host.GateClosed
	if strings.TrimSpace(string(text)) == freezeWord(p.layout.freezer.version == 2, false) {
		w.Gate = host.GateOpen
	}
	return w, nil
}

func vanished(err error) error {
	if cgroup.Gone(err) {
		return fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	}
	return explain(err)
}

// waited reads how long at least one thread waited for a CPU; nil: the kernel does not
// count it.
func waited(file string) *time.Duration {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	some, _, _ := bytes.Cut(text, []byte("\n"))
	_, total, ok := bytes.Cut(some, []byte(" total="))
	ok = ok && bytes.HasPrefix(some, []byte("some "))
	us, err := strconv.ParseUint(string(total), 10, 53)
	if !ok || err != nil {
		return nil
	}
	d := time.Duration(us) * time.Microsecond
	return &d
}

// Facts implements host.Host: the settings of the domain's cgroups, as they are.
func (p *Host) Facts(_ context.Context, d host.Domain) ([]host.Fact, error) {
	cpu := filepath.Join(p.layout.cpu.dir, d.ID)
	pids, err := cgroup.Processes(cpu)
	if err != nil {
		return nil, vanished(err)
	}
	facts := []host.Fact{
		{Name: "cgroup", Value: fmt.Sprintf("%s, version %d, %d processes", cpu, p.layout.cpu.version, len(pids))},
		{Name: "CPUs", Value: cpulist.Format(d.CPUs)},
	}
	files := []string{"cpu.shares", "cpu.idle", "cpu.cfs_quota_us", "cpu.cfs_period_us"}
	if p.layout.cpu.version == 2 {
		files = []string{"cpu.weight", "cpu.idle", "cpu.max"}
	}
	for _, name := range files {
		if text, err := os.ReadFile(filepath.Join(cpu, name)); err == nil { // some kernels have not all of them
			facts = append(facts, host.Fact{Name: name, Value: strings.TrimSpace(string(text))})
		}
	}
	dial, err := openDial(cpu, p.layout.cpu.version)
	if err != nil {
		return facts, vanished(err)
	}
	defer dial.close()
	had, changed, err := dial.recorded()
	if err == nil && changed {
		facts = append(facts, host.Fact{Name: "given back at the end", Value: fmt.Sprintf("weight %d, idle %t", had.weight, had.idle)})
	}
	return facts, err
}
