// SPDX-License-Identifier: Apache-2.0

package master

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// admit tells whether a reservation fits on each of the CPUs, beside all others
// there; a *host.Refusal if not.
func (m *Master) admit(t rtsched.Task, cpus []int) error {
	if err := t.Validate(); err != nil {
		return err
	}
	_, late := m.host.Floor()
	for _, cpu := range cpus {
		if miss := rtsched.Admit(append(m.tasks(cpu, t.ID), t), late); miss != nil {
			return &host.Refusal{CPU: cpu, Miss: *miss, Most: m.most(t, cpus), Name: m.name(miss.Task.ID)}
		}
	}
	return nil
}

// tasks are what a CPU has promised already, but to the reservation of a number.
func (m *Master) tasks(cpu int, but uint32) []rtsched.Task {
	var tasks []rtsched.Task
	if floor, _ := m.host.Floor(); floor.Budget > 0 {
		tasks = append(tasks, floor)
	}
	for _, a := range m.adopted {
		if a.Reservation != but && !a.Waits && slices.Contains(a.CPUs, cpu) {
			tasks = append(tasks, a.task())
		}
	}
	for _, h := range m.held {
		if h.Reservation != but && slices.Contains(h.CPUs, cpu) {
			tasks = append(tasks, h.task())
		}
	}
	for _, p := range m.payers {
		if p.Reservation != but && !p.Waits && slices.Contains(p.CPUs, cpu) {
			tasks = append(tasks, p.task())
		}
	}
	return tasks
}

func (m *Master) name(id uint32) string {
	for _, a := range m.adopted {
		if a.Reservation == id {
			return a.Name
		}
	}
	if h := m.held[id]; h != nil {
		return h.Name
	}
	for _, p := range m.payers {
		if p.Reservation == id {
			return "calls of " + p.Key
		}
	}
	return ""
}

// most is the largest budget that would fit on all of the CPUs.
func (m *Master) most(t rtsched.Task, cpus []int) time.Duration {
	_, late := m.host.Floor()
	most := t.Period
	for _, cpu := range cpus {
		most = min(most, rtsched.Most(m.tasks(cpu, t.ID), t, late))
	}
	return most
}

// number is the lowest that nobody has.
func (m *Master) number() (uint32, error) {
	used := maps.Clone(m.taken)
	for _, a := range m.adopted {
		used[a.Reservation] = true
	}
	for id := range m.held {
		used[id] = true
	}
	for _, p := range m.payers {
		used[p.Reservation] = true
	}
	for id := uint32(firstReservation); id <= lastReservation; id++ {
		if !used[id] {
			return id, nil
		}
	}
	return 0, fmt.Errorf("%w: %d domains are adopted: release one", ErrFull, len(m.adopted))
}
