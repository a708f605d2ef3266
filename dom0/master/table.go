// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// Reservations with these numbers are the master's. Tools may make their own
// with lower numbers.
const (
	firstReservation = 2048
	lastReservation  = 4095
)

// entry is a reservation with the master's knowledge of it.
type entry struct {
	api.Reservation
	// refs are the configuration's names of its domains; none: a command made
	// it.
	refs    []string
	beside  []int        // CPUs of its domain's device model, where the budget is promised, too
	uuid    string       // the domain's present UUID, which may differ from the reserved one
	problem error        // why the reservation is not in force, if known
	told    bool         // the host has this reservation
	granted rtsched.Task // budget and period that the host has; zero: none
	placed  bool         // the host may have moved its vCPUs since they were looked for
	refused refusal      // when the arithmetic refused it last
	old     bool         // an earlier master's, whose domains have not been found yet
	resume  bool         // an earlier master's, which the host has not been told yet
}

// refusal is what a refusal by the arithmetic depends on: as long as it is the same, the
// entry need not be tried again. The zero refusal is that of none.
type refusal struct {
	room    uint64
	servers int
}

// running reports whether its domain, or a callee, is known to exist.
func (e *entry) running() bool { return !e.old && e.Running() }

// holds reports whether the domain holds it; d.UUID does not matter.
func (e *entry) holds(d host.Domain) bool {
	return e.Domain != nil && same(*e.Domain, d) && e.running()
}

// demand is what others find taken: where the host has refused a change, the
// larger budget and the shorter period.
func (e *entry) demand() rtsched.Task {
	task := e.Task
	if e.granted.Period > 0 {
		task.Budget, task.Period = max(task.Budget, e.granted.Budget), min(task.Period, e.granted.Period)
	}
	return task
}

// String names the reservation in messages.
func (e *entry) String() string {
	switch e.Kind() {
	case host.KindDomain:
		if e.Domain.ID == "" {
			return fmt.Sprintf("domain %.80q", cmp.Or(e.Name, e.Domain.Name))
		}
		return "domain " + e.Domain.String()
	case host.KindThreads:
		return e.Threads.String()
	}
	return "calls of " + e.Name
}

// onHost is the reservation as given to the host: without callees that do not
// exist.
func (e *entry) onHost() host.Reservation {
	r := e.Copy().Reservation
	r.Callees = slices.DeleteFunc(r.Callees, func(c host.Callee) bool { return c.ID == "" })
	r.Resume = e.resume
	return r
}

// same reports whether b is the same domain as a, even if other properties
// differ.
func same(a, b host.Domain) bool { return a.ID == b.ID && a.Generation == b.Generation }

// table is all reservations of a host, by number.
type table struct {
	host    host.Host
	entries map[uint32]*entry
	last    map[string]*entry // found last, by their domains' numbers; may be old
}

func newTable(h host.Host) table {
	return table{h, make(map[uint32]*entry), make(map[string]*entry)}
}

// inOrder are the entries by number.
func (t *table) inOrder() []*entry {
	return slices.SortedFunc(maps.Values(t.entries), func(a, b *entry) int { return cmp.Compare(a.ID, b.ID) })
}

// first is the matching entry with the lowest number; nil: none.
func (t *table) first(meant func(*entry) bool) (found *entry) {
	for _, e := range t.entries {
		if (found == nil || e.ID < found.ID) && meant(e) {
			found = e
		}
	}
	return found
}

// of is the entry of a domain: the one that it holds, or one that waits for a
// domain with its UUID; nil: none.
func (t *table) of(d host.Domain) *entry {
	if e := t.last[d.ID]; e != nil && t.entries[e.ID] == e && e.holds(d) {
		return e
	}
	if e := t.first(func(e *entry) bool { return e.holds(d) }); e != nil {
		t.last[d.ID] = e
		return e
	}
	return t.first(func(e *entry) bool { return e.Domain != nil && !e.running() && e.Domain.UUID == d.UUID })
}

// number is the lowest number that neither table uses.
func (t *table) number(other *table) (uint32, error) {
	for id := uint32(firstReservation); id <= lastReservation; id++ {
		if t.entries[id] == nil && other.entries[id] == nil {
			return id, nil
		}
	}
	return 0, fmt.Errorf("%w: there are %d: release one", api.ErrFull, len(t.entries))
}

// fits returns why a reservation cannot be in force beside all others where its
// domains are; a *host.Refusal if a CPU has no room.
func (t *table) fits(e *entry) error {
	if err := t.able(e); err != nil {
		return err
	}
	for _, d := range e.Domains() {
		if d.Control {
			return fmt.Errorf("domain %s: %w", d, api.ErrControl)
		}
		if err := cmp.Or(d.Err, t.free(e, d)); err != nil {
			return err
		}
	}
	if d := e.Domain; d != nil && d.VCPUs > 0 && e.Number() > d.VCPUs {
		return fmt.Errorf("%w: %d servers, and domain %s has %d vCPUs", host.ErrNotAdmitted, e.Number(), d, d.VCPUs)
	}
	if d := e.Domain; d != nil && d.VCPUs > 0 && d.ID != "" && len(e.CPUs) == 0 {
		return fmt.Errorf("%w: no vCPU of domain %s may run on a CPU: %d of %d are unplugged, and the others' affinity has no CPU of its cpupool: see 'xl vcpu-list'",
			host.ErrNotAdmitted, d, len(d.Unplugged), d.VCPUs)
	}
	if err := t.admit(e.Task, 1, e.beside); err != nil {
		return fmt.Errorf("its device model: %w", err)
	}
	err := t.admit(e.Task, e.Each(), e.CPUs)
	if err != nil && t.host.Can().Places && e.Domain != nil && t.elsewhere(e) {
		return nil
	}
	return err
}

// elsewhere reports whether a CPU of the host has room for one of an entry's
// servers: then the host decides.
func (t *table) elsewhere(e *entry) bool {
	_, late := t.host.Floor()
	cpus, err := t.host.CPUs()
	return err == nil && slices.ContainsFunc(t.loads(cpus, e.ID), func(l load) bool {
		return rtsched.Admit(append(l.tasks, e.Task), late) == nil
	})
}

// able returns why this host does not support a reservation with this holder.
func (t *table) able(e *entry) error {
	can := t.host.Can()
	switch {
	case e.Threads != nil && !can.Threads:
		return fmt.Errorf("reservations of threads are %w: host %s cannot charge callees to them", host.ErrNotHere, t.host.Name())
	case len(e.Callees) > 0 && !can.Calls:
		return fmt.Errorf("host %s charges no domain's calls to a reservation: it is %w: leave out budget and period", t.host.Name(), host.ErrNotHere)
	case e.DeviceModel && !can.DeviceModels:
		return fmt.Errorf("a device model on a reservation is %w: host %s has none", host.ErrNotHere, t.host.Name())
	case e.DeviceModel && e.Domain == nil:
		return fmt.Errorf("%w: only a domain has a device model", host.ErrNotAllowed)
	case e.Domain != nil && len(e.Callees) > 0:
		return fmt.Errorf("%w: a reservation that a domain holds has no callees", host.ErrNotAllowed)
	case e.Kind() == host.KindNone && len(e.Callees) == 0:
		return fmt.Errorf("%w: a reservation has a holder or a callee", host.ErrNotAllowed)
	}
	return cmp.Or(e.Validate(), e.CheckServers(), e.Class.Check())
}

// free returns why a domain cannot hold a reservation, or be its callee, beside
// the other entries.
func (t *table) free(e *entry, d *host.Domain) error {
	holder := d == e.Domain
	for _, o := range t.entries {
		switch {
		case d.ID == "" || o.ID == e.ID:
		case holder && o.Domain != nil && o.running() && o.Domain.UUID == d.UUID:
			return fmt.Errorf("domain %s: %w: domain %s holds the reservation of its UUID, release that first", d, host.ErrNotAllowed, o.Domain)
		case t.host.Can().Both:
		case !holder && o.holds(*d):
			return fmt.Errorf("calls to domain %s: %w: it is adopted, and so pays for itself: release it first, or leave out budget and period", d, host.ErrNotAllowed)
		case holder && o.calls(*d):
			return fmt.Errorf("domain %s: %w: reservation %d (%s) pays for calls to it", d, host.ErrNotAllowed, o.ID, o)
		}
	}
	return nil
}

// calls reports whether a domain is a callee.
func (e *entry) calls(d host.Domain) bool {
	return slices.ContainsFunc(e.Callees, func(c host.Callee) bool { return c.ID != "" && same(c.Domain, d) })
}

// admit checks whether so many servers of a reservation fit on each of the CPUs,
// beside all others there.
func (t *table) admit(task rtsched.Task, each int, cpus []int) error {
	_, late := t.host.Floor()
	loads := t.loads(cpus, task.ID)
	for _, l := range loads {
		if miss := rtsched.Admit(slices.Concat(l.tasks, slices.Repeat([]rtsched.Task{task}, each)), late); miss != nil {
			most := task.Period
			for _, l := range loads {
				if each > 1 {
					most = 0 // not known
					break
				}
				most = min(most, rtsched.Most(l.tasks, task, late))
			}
			return &host.Refusal{CPU: l.cpus[0], Miss: *miss, Most: max(most, 0), Name: t.name(miss.Task.ID)}
		}
	}
	return nil
}

// load is what is reserved on each of some CPUs.
type load struct {
	cpus  []int // ascending
	tasks []rtsched.Task
}

// loads are the reservations on some CPUs, which ascend, except the one with that
// number. CPUs with the same reservations are one load: unpinned domains count on each
// CPU of a host.
func (t *table) loads(cpus []int, but uint32) []load {
	if len(cpus) == 0 {
		return nil
	}
	all := []load{{cpus: cpus}}
	if floor, _ := t.host.Floor(); floor.Budget > 0 {
		all[0].tasks = append(all[0].tasks, floor)
	}
	for _, e := range t.entries {
		if e.ID == but || e.Waits {
			continue
		}
		for i, l := range all {
			in := l.cpus
			if on := e.promised(); !slices.Equal(l.cpus, on) {
				in = common(l.cpus, on)
			}
			if len(in) == 0 {
				continue
			}
			if len(in) < len(l.cpus) {
				rest := slices.DeleteFunc(slices.Clone(l.cpus), func(cpu int) bool { return slices.Contains(in, cpu) })
				all = append(all, load{rest, slices.Clone(l.tasks)})
			}
			all[i].cpus = in
			for range e.Each() {
				all[i].tasks = append(all[i].tasks, e.demand())
			}
		}
	}
	slices.SortFunc(all, func(a, b load) int { return cmp.Compare(a.cpus[0], b.cpus[0]) })
	return all
}

var seed = maphash.MakeSeed()

// room is a number that is another one if anything else is reserved on any CPU. It is
// not 0.
func (t *table) room() (sum uint64) {
	for _, e := range t.entries {
		if e.Waits {
			continue
		}
		task, each := e.demand(), e.Each()
		for _, cpu := range e.promised() {
			sum += maphash.Comparable(seed, struct {
				rtsched.Task
				each, cpu int
			}{task, each, cpu})
		}
	}
	return sum | 1
}

// common are the CPUs that two ascending lists have.
func common(a, b []int) (both []int) {
	for len(a) > 0 && len(b) > 0 {
		switch c := cmp.Compare(a[0], b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			both, a, b = append(both, a[0]), a[1:], b[1:]
		}
	}
	return both
}

// name of a reservation, for people.
func (t *table) name(id uint32) string {
	switch e := t.entries[id]; {
	case e == nil:
		return ""
	case e.Kind() == host.KindNone:
		return e.String()
	default:
		return e.Name
	}
}
