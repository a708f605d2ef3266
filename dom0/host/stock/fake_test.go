// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl"
)

// fakeHost is a Xen with Dom0 and one domain, both under credit2 at first.
type fakeHost struct {
	info   xenctl.DomainInfo
	weight xenctl.Weight
	dom0   uint16 // Dom0's weight, in pool 0
	pools  map[uint32]xenctl.Scheduler
	pauses int
	kicks  int
	gone   bool
	idle   []time.Duration
	vcpus  []xenctl.VCPU
	beside []xenctl.VCPU // the neighbour's
}

// neighbour is the number of another domain on the host.
const neighbour = 4

func (h *fakeHost) IdleTimes() ([]time.Duration, error) { return slices.Clone(h.idle), nil }

func (h *fakeHost) Domains() ([]xenctl.DomainInfo, error) {
	info, err := h.DomainInfo(3)
	return []xenctl.DomainInfo{info, {ID: neighbour, MaxVCPUID: len(h.beside) - 1}}, err
}

func (h *fakeHost) VCPU(domid uint16, vcpu int) (xenctl.VCPU, error) {
	all := h.vcpus
	if domid == neighbour {
		all = h.beside
	}
	if vcpu >= len(all) {
		return xenctl.VCPU{}, xenctl.ErrNoDomain
	}
	return all[vcpu], nil
}

func newHost() *fakeHost {
	return &fakeHost{
		info: xenctl.DomainInfo{ID: 3, UUID: [16]byte{7}, CPUTime: time.Minute}, weight: xenctl.Weight{Weight: 300, Cap: 50}, dom0: 256,
		pools: map[uint32]xenctl.Scheduler{0: xenctl.Credit2, 1: xenctl.Credit2, 2: xenctl.Credit, 3: xenctl.Null},
	}
}

// migrate moves the domain to another pool, where Xen gives it the default weight.
func (h *fakeHost) migrate(pool uint32) { h.info.CPUPool, h.weight = pool, xenctl.Weight{Weight: 256} }

func (h *fakeHost) Pool(id uint32) (xenctl.Pool, error) {
	s, ok := h.pools[id]
	if !ok {
		return xenctl.Pool{}, xenctl.ErrNotSupported
	}
	return xenctl.Pool{ID: id, Scheduler: s}, nil
}

func (h *fakeHost) DomainInfo(domid uint16) (xenctl.DomainInfo, error) {
	if h.gone {
		return xenctl.DomainInfo{}, xenctl.ErrNoDomain
	}
	info := h.info
	info.Paused = h.pauses > 0
	if domid == neighbour {
		info.ID = neighbour
	}
	return info, nil
}

func (h *fakeHost) Pause(uint16) error {
	if h.gone {
		return xenctl.ErrNoDomain
	}
	h.pauses++
	h.kicks++
	return nil
}

func (h *fakeHost) Unpause(uint16) error {
	if h.pauses == 0 {
		return unix.EINVAL
	}
	h.pauses--
	return nil
}

// Weight is EINVAL under another scheduler than the domain's, as Xen says it.
func (h *fakeHost) Weight(domid uint16, s xenctl.Scheduler) (xenctl.Weight, error) {
	w, pool := h.weight, h.info.CPUPool
	if domid == 0 {
		w, pool = xenctl.Weight{Weight: h.dom0}, 0
	}
	if h.pools[pool] != s {
		return xenctl.Weight{}, unix.EINVAL
	}
	return w, nil
}

func (h *fakeHost) SetWeight(domid uint16, s xenctl.Scheduler, w xenctl.Weight) error {
	if _, err := h.Weight(domid, s); err != nil {
		return err
	}
	h.weight = w
	return nil
}
