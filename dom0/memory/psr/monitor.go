// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/xenctl"
)

// Observer is the part of *xenctl.Handle that monitors domains.
type Observer interface {
	SocketCPUs() (map[int]int, error)
	Monitoring(cpu int) (xenctl.Monitoring, error)
	Monitor(domid uint16) error
	Unmonitor(domid uint16) error
	MonitorID(domid uint16) (uint32, error)
	MonitorCount(cpu int, id uint32, e xenctl.MonitorEvent) (uint64, error)
	io.Closer
}

// Monitor implements [memory.CacheMonitor]. It gives resource monitoring IDs to domains
// that have none, as long as there are some.
type Monitor struct {
	h        Observer
	info     xenctl.Monitoring
	width    int // bits of a counter, at least
	capacity uint64
	seen     map[string]*monitored // by the domain's ID
}

var _ memory.CacheMonitor = (*Monitor)(nil)

// monitored is a domain whose use is counted.
type monitored struct {
	uuid  string
	ours  bool // it had no ID before
	id    uint32
	last  map[int]uint64 // the counter of each socket
	moved uint64         // units
}

// OpenMonitor takes over h and closes it on an error too. [host.ErrNotHere]: Xen does not
// monitor caches.
func OpenMonitor(h Observer) (_ *Monitor, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	m := &Monitor{h: h, seen: make(map[string]*monitored)}
	if m.info, m.capacity, err = monitoring(h); err != nil {
		return nil, err
	}
	m.width = width(m.info.Unit)
	return m, nil
}

// IDs is how many domains can be monitored at once; [host.ErrNotHere]: none.
func IDs(h Observer) (int, error) {
	info, _, err := monitoring(h)
	return info.IDs, err
}

// monitoring returns what all sockets can monitor, and the size of all their caches.
func monitoring(h Observer) (info xenctl.Monitoring, capacity uint64, err error) {
	sockets, err := h.SocketCPUs()
	if err != nil {
		return info, 0, err
	}
	for _, cpu := range sockets {
		info, err = h.Monitoring(cpu)
		if errors.Is(err, xenctl.ErrNotSupported) || err == nil && !info.Counts(xenctl.CacheOccupancy) {
			return info, 0, fmt.Errorf("cache use of domains: %w: the processor does not monitor it, or Xen was started without psr=cmt", host.ErrNotHere)
		}
		if err != nil {
			return info, 0, err
		}
		capacity += info.Cache
	}
	return info, capacity, nil
}

// width is the least width of the counters of a kind of processor: Xen does not tell. AMD's
// have units of a line, and 44 bits at least (APM 2, 19.3); Intel's 24 (SDM 3, 18.18).
func width(unit uint64) int {
	if unit <= 64 {
		return 44
	}
	return 24
}

// Capacity implements [memory.CacheMonitor].
func (m *Monitor) Capacity() uint64 { return m.capacity }

// Read implements [memory.CacheMonitor].
func (m *Monitor) Read(_ context.Context, all []host.Domain) (map[string]host.CacheUse, error) {
	sockets, err := m.h.SocketCPUs()
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool)
	use := make(map[string]host.CacheUse, len(all))
	for _, d := range all {
		there[d.ID] = true
		use[d.ID] = m.read(d, sockets)
	}
	for id, d := range m.seen {
		if !there[id] {
			if err := m.forget(id, d); err != nil {
				return nil, err
			}
		}
	}
	return use, nil
}

func (m *Monitor) read(d host.Domain, sockets map[int]int) (u host.CacheUse) {
	number, err := domains.Number(d)
	if err == nil {
		u, err = m.count(d, number, sockets)
	}
	switch {
	case errors.Is(err, xenctl.ErrNoMonitor):
		u = host.CacheUse{Problem: fmt.Sprintf("all of the processor's %d monitoring IDs are in use", m.info.IDs)}
	case err != nil:
		u = host.CacheUse{Problem: err.Error()}
	}
	return u
}

func (m *Monitor) count(d host.Domain, number uint16, sockets map[int]int) (u host.CacheUse, err error) {
	id, err := m.h.MonitorID(number)
	if err != nil {
		return u, err
	}
	ours := id == 0
	if ours {
		if err := m.h.Monitor(number); err != nil {
			return u, err
		}
		if id, err = m.h.MonitorID(number); err != nil {
			return u, err
		}
	}
	s := m.seen[d.ID]
	if s == nil || s.uuid != d.UUID {
		s = &monitored{uuid: d.UUID, ours: ours, id: id, last: make(map[int]uint64)}
		m.seen[d.ID] = s
	}
	if ours || s.id != id { // another program has changed it: its counters are others
		s.id, s.ours = id, ours
		clear(s.last)
	}
	for socket, cpu := range sockets {
		lines, err := m.h.MonitorCount(cpu, id, xenctl.CacheOccupancy)
		if err != nil {
			return u, err
		}
		u.Occupied += lines * m.info.Unit
		if !m.info.Counts(xenctl.MemoryTotal) {
			continue
		}
		now, err := m.h.MonitorCount(cpu, id, xenctl.MemoryTotal)
		if err != nil {
			return u, err
		}
		if last, ok := s.last[socket]; ok {
			s.moved += (now - last) & (1<<m.width - 1)
		}
		s.last[socket] = now
	}
	u.Moved = s.moved * m.info.Unit
	return u, nil
}

// forget ends the monitoring of a domain that had none before.
func (m *Monitor) forget(id string, s *monitored) error {
	delete(m.seen, id)
	number, err := domains.Number(host.Domain{ID: id})
	if err != nil || !s.ours {
		return err
	}
	has, err := m.h.MonitorID(number)
	if err == nil && has == s.id {
		err = m.h.Unmonitor(number)
	}
	if errors.Is(err, xenctl.ErrNoDomain) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// Close implements [memory.CacheMonitor].
func (m *Monitor) Close() error {
	var errs []error
	for id, s := range m.seen {
		errs = append(errs, m.forget(id, s))
	}
	return errors.Join(append(errs, m.h.Close())...)
}
