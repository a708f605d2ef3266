// SPDX-License-Identifier: Apache-2.0

package master

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// After any events of domains and any requests, and a review: the host's
// reservations fit on every CPU, a domain holds at most one reservation, an
// entry without a problem is in force, and one with a problem, or without its
// domain, is in the list.
func TestPromisesHoldWhateverHappens(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 7))
		h, dir := newPayHost(), t.TempDir()
		h.can.Threads, h.on = true, map[int][]int{7: {0}, 8: {1, 2}}
		h.can.Both = seed%2 == 0
		born := 0
		appear := func() {
			born++
			name := fmt.Sprint("d", r.IntN(6))
			uuid := "u-" + name
			if r.IntN(4) == 0 {
				uuid = fmt.Sprint("u-", born)
			}
			h.all = append(h.all, host.Domain{ID: fmt.Sprint(1 + r.IntN(5)), Generation: uint64(born), UUID: uuid, Name: name, CPUs: []int{r.IntN(3)}})
			last := h.all[len(h.all)-1]
			if slices.ContainsFunc(h.all[:len(h.all)-1], func(d host.Domain) bool { return d.ID == last.ID }) {
				h.all = h.all[:len(h.all)-1]
			}
		}
		pick := func() *host.Domain {
			if len(h.all) == 0 {
				appear()
			}
			return &h.all[r.IntN(len(h.all))]
		}
		vanish := func() {
			id := pick().ID
			h.all = slices.DeleteFunc(h.all, func(d host.Domain) bool { return d.ID == id })
			for number, on := range h.adopted {
				if on == id { // the host drops those of a domain that ends
					delete(h.adopted, number)
					delete(h.tasks, number)
				}
			}
		}
		task := func() (time.Duration, time.Duration) { return time.Duration(1+r.IntN(60)) * ms, 100 * ms }
		m, err := Open(t.Context(), h, dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for range 120 {
			ref := fmt.Sprint("d", r.IntN(6))
			budget, period := task()
			switch r.IntN(11) {
			case 0, 1:
				appear()
			case 2:
				vanish()
			case 3:
				pick().CPUs = []int{r.IntN(3)}
			case 4:
				pick().UUID = fmt.Sprint("u-d", r.IntN(6))
			case 5:
				m.Reserve(t.Context(), reservation(ref, budget, period)) // may be refused
			case 6:
				m.Reserve(t.Context(), threads(7+r.IntN(2), time.Duration(r.IntN(20)), ref))
			case 7:
				m.Release(t.Context(), ref)
			case 8:
				var all []api.Reservation
				for _, ref := range []string{"d0", "u-d1", "d2"} {
					if budget, period := task(); r.IntN(2) == 0 {
						all = append(all, reservation(ref, budget, period))
					}
					if r.IntN(2) == 0 {
						all = append(all, rule("calls "+ref, ref))
					}
				}
				m.Configure(t.Context(), all)
			case 9:
				for id := range m.entries {
					m.Unreserve(t.Context(), id)
					break
				}
			case 10:
				if err := m.Close(); err != nil {
					t.Fatal(err)
				}
				if m, err = Open(t.Context(), h, dir, slog.New(slog.DiscardHandler)); err != nil {
					t.Fatal(err)
				}
			}
			review(t, m)
			review(t, m)
			promises(t, m, h, seed)
			if t.Failed() {
				break
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func promises(t *testing.T, m *Master, h *fakeHost, seed uint64) {
	t.Helper()
	floor, late := h.Floor()
	holder := make(map[string]uint32)
	for cpu := range 3 {
		tasks := []rtsched.Task{floor}
		for _, s := range list(t, m) {
			_, adopted := h.adopted[s.ID]
			_, pays := h.pays[s.ID]
			inForce := adopted || pays || h.threads[s.ID].Threads != nil
			if other, ok := holder[h.adopted[s.ID]]; adopted && ok && other != s.ID {
				t.Errorf("seed %d: domain %s is on %d and %d", seed, h.adopted[s.ID], other, s.ID)
			}
			holder[h.adopted[s.ID]] = s.ID
			if s.Running() && s.Problem == "" && !inForce || s.Waits && inForce {
				t.Errorf("seed %d: %+v, host %v %v", seed, s, h.adopted, h.pays)
			}
			if inForce && s.Threads == nil && s.Running() && slices.Contains(s.CPUs, cpu) {
				tasks = append(tasks, h.tasks[s.ID])
			}
		}
		if miss := rtsched.Admit(tasks, late); miss != nil {
			t.Errorf("seed %d: CPU %d has %+v: %+v", seed, cpu, tasks, miss)
		}
	}
}
