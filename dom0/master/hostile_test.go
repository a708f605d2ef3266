// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// lockedHost is a fake host that may be used concurrently, and whose calls fail
// now and then.
type lockedHost struct {
	*fakeHost
	mu     sync.Mutex
	chance int // of 100 calls that change something fail
}

func (h *lockedHost) unlucky() error {
	if rand.IntN(100) < h.chance {
		return errors.New("the host failed")
	}
	return nil
}

func (h *lockedHost) Domains(ctx context.Context) ([]host.Domain, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all), nil
}

func (h *lockedHost) MemberCPUs(m host.Members) ([]int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fakeHost.MemberCPUs(m)
}

func (h *lockedHost) Reserve(ctx context.Context, r host.Reservation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.unlucky(); err != nil {
		return err
	}
	return h.fakeHost.Reserve(ctx, r)
}

func (h *lockedHost) Unreserve(ctx context.Context, r host.Reservation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.unlucky(); err != nil {
		return err
	}
	delete(h.tasks, r.ID)
	return h.fakeHost.Unreserve(ctx, r)
}

func (h *lockedHost) Usage(ctx context.Context, r host.Reservation) (host.Usage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fakeHost.Usage(ctx, r)
}

func (h *lockedHost) Clear(ctx context.Context, id uint32) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fakeHost.Clear(ctx, id)
}

// saved is the table as the state file has it.
func saved(t *testing.T, dir string) []api.Reservation {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var j stateJSON
	if err == nil {
		err = json.Unmarshal(b, &j)
	}
	if err != nil {
		t.Fatal(err)
	}
	return j.Reservations
}

// tabled is the table in the form of the state file.
func tabled(t *testing.T, m *Master) []api.Reservation {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []api.Reservation{}
	for _, e := range m.inOrder() {
		all = append(all, e.Reservation)
	}
	b, err := json.Marshal(all)
	if err == nil {
		all = nil
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever is asked concurrently, and whatever the host refuses meanwhile, the
// state file equals the table, and what the host has fits on each CPU.
func TestConcurrentRequestsLeaveOneTable(t *testing.T) {
	for _, chance := range []int{0, 20} {
		for _, both := range []bool{false, true} {
			h := &lockedHost{fakeHost: newPayHost(), chance: chance}
			h.can.Both, h.can.Threads, h.on = both, true, map[int][]int{7: {0}, 8: {1, 2}}
			dir := t.TempDir()
			m, err := Open(t.Context(), h, dir, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for worker := range 6 {
				wg.Go(func() { assault(t.Context(), m, h, uint64(worker)) })
			}
			wg.Wait()
			h.chance = 0
			for range 3 {
				review(t, m)
			}
			if file, table := saved(t, dir), tabled(t, m); !reflect.DeepEqual(file, table) && len(file)+len(table) > 0 {
				t.Errorf("the file has\n%+v\nthe table\n%+v", file, table)
			}
			promises(t, m, h.fakeHost, uint64(chance))
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func assault(ctx context.Context, m *Master, h *lockedHost, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 11))
	for range 300 {
		ref := fmt.Sprint("d", r.IntN(5))
		budget := time.Duration(1+r.IntN(60)) * ms
		switch r.IntN(10) {
		case 0: // domains die and are made again with the number or the UUID
			h.mu.Lock()
			id := fmt.Sprint(1 + r.IntN(4))
			h.all = slices.DeleteFunc(slices.Clone(h.all), func(d host.Domain) bool { return d.ID == id })
			for number, on := range h.adopted {
				if on == id {
					delete(h.adopted, number)
					delete(h.tasks, number)
				}
			}
			h.all = append(h.all, host.Domain{ID: id, Generation: r.Uint64(), UUID: "u-" + ref, Name: ref, CPUs: []int{r.IntN(3)}})
			h.mu.Unlock()
		case 1, 2:
			m.Reserve(ctx, reservation(ref, budget, 100*ms))
		case 3:
			m.Reserve(ctx, threads(7+r.IntN(2), time.Duration(1+r.IntN(20)), ref))
		case 4:
			m.Release(ctx, ref)
		case 5:
			m.Unreserve(ctx, firstReservation+uint32(r.IntN(8)))
		case 6:
			m.Configure(ctx, []api.Reservation{reservation(ref, budget, 100*ms), rule("a", "d1"), rule("b", ref)})
		case 7:
			m.Review(ctx)
		case 8:
			m.List(ctx)
			m.Pay(ctx, "a")
		case 9:
			m.Try(ctx, []api.Reservation{reservation(ref, budget, 100*ms)})
		}
	}
}

// A request to release no domain releases none.
func TestNoNameReleasesNothing(t *testing.T) {
	h := newHost()
	m := open(t, h, t.TempDir())
	configure(t, m, reservation("web", 10*ms, 100*ms)) // web was never there
	if e, err := m.Release(t.Context(), ""); !errors.Is(err, api.ErrNotAdopted) {
		t.Errorf("%+v, %v", e, err)
	}
	if all := list(t, m); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

// stubbornHost does not make the budget of a domain smaller.
type stubbornHost struct {
	*fakeHost
	holds string
	ends  bool // it does end reservations
}

func (h *stubbornHost) Reserve(ctx context.Context, r host.Reservation) error {
	if r.Domain != nil && r.Domain.ID == h.holds && r.Budget < h.tasks[r.ID].Budget {
		return errors.New("busy")
	}
	return h.fakeHost.Reserve(ctx, r)
}

func (h *stubbornHost) Unreserve(ctx context.Context, r host.Reservation) error {
	if r.Domain != nil && r.Domain.ID == h.holds && !h.ends {
		return errors.New("busy")
	}
	return h.fakeHost.Unreserve(ctx, r)
}

// Where the host does not give up one reservation of a configuration, those that
// were to have its room wait: the host never has more than fits.
func TestFailureInTheMiddleOfAConfigurationPromisesNothingTwice(t *testing.T) {
	for name, next := range map[string][]api.Reservation{
		"shrink": {reservation("web", 10*ms, 100*ms), reservation("db", 60*ms, 100*ms)},
		"end":    {reservation("db", 60*ms, 100*ms)},
	} {
		h := &stubbornHost{fakeHost: newHost(domain("1", "web", 0), domain("2", "db", 0)), holds: "1"}
		dir := t.TempDir()
		m, err := Open(t.Context(), h, dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		configure(t, m, reservation("web", 60*ms, 100*ms), reservation("db", 10*ms, 100*ms))
		if err := m.Configure(t.Context(), next); err == nil {
			t.Errorf("%s: no error", name)
		}
		check := func(when string) {
			t.Helper()
			floor, late := h.Floor()
			tasks := []rtsched.Task{floor}
			for id := range h.adopted {
				tasks = append(tasks, h.tasks[id])
			}
			if miss := rtsched.Admit(tasks, late); miss != nil {
				t.Errorf("%s, %s: the host has %+v", name, when, tasks)
			}
			if file, table := saved(t, dir), tabled(t, m); !reflect.DeepEqual(file, table) {
				t.Errorf("%s, %s: the file has\n%+v\nthe table\n%+v", name, when, file, table)
			}
		}
		check("configured")
		review(t, m)
		check("reviewed")
		h.holds = ""
		review(t, m)
		review(t, m)
		check("when the host gives it up")
		if s := statusOf(t, m, "db"); name == "shrink" && (s.Problem != "" || h.tasks[s.ID].Budget != 60*ms) {
			t.Errorf("%s: %+v, host %v", name, s, h.tasks)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A file that could not be written when the last reservation ended is written
// by a review.
func TestReviewSavesAnEmptyTable(t *testing.T) {
	h, dir := newHost(domain("1", "web", 0)), t.TempDir()
	m := open(t, h, dir)
	reserve(t, m, reservation("web", 10*ms, 100*ms))
	to := m.state.dir
	m.state.dir = filepath.Join(dir, "absent")
	if _, err := m.Release(t.Context(), "web"); err == nil {
		t.Fatal("the state was saved nowhere")
	}
	m.state.dir = to
	review(t, m)
	if all := saved(t, dir); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

// A trial of as many reservations as there are numbers keeps no other request
// waiting, and ends with its caller.
func TestTrialOfManyDelaysNoOtherRequest(t *testing.T) {
	var all []api.Reservation
	for i := range lastReservation - firstReservation + 1 {
		all = append(all, reservation(fmt.Sprint("d", i), 20*time.Microsecond, 10*time.Second-time.Duration(i)*ms))
	}
	m := open(t, newHost(domain("1", "web", 0, 1, 2, 3)), t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := m.Try(ctx, all)
		ended <- err
	}()
	for range 10 {
		time.Sleep(20 * ms)
		begun := time.Now()
		review(t, m)
		list(t, m)
		if took := time.Since(begun); took > Lease/2 {
			t.Errorf("others waited %v", took)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end with its caller")
	}
}
