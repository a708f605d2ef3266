// SPDX-License-Identifier: Apache-2.0

package domains

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/platform"
	"github.com/vlibos/vlibos/xenctl"
)

// patience is how long xenstored may take for the names in one listing.
const patience = 200 * time.Millisecond

// Hypervisor is what finding domains needs of a *xenctl.Handle.
type Hypervisor interface {
	Domains() ([]xenctl.DomainInfo, error)
	VCPU(domid uint16, vcpu int) (xenctl.VCPU, error)
}

// Store is what naming them needs of a *xenstore.Client.
type Store interface {
	Read(ctx context.Context, path string) ([]byte, error)
}

// List finds domains. Its methods may be called at the same time.
type List struct {
	h     Hypervisor
	store Store
	cpus  func(domid uint16, v xenctl.VCPU) ([]int, error)

	mu    sync.Mutex
	names map[uint16]named
}

// named is how a domain was called when xenstored last said so.
type named struct {
	uuid [16]byte
	name string
}

// New returns a list. CPUs says on which a vCPU may run.
func New(h Hypervisor, s Store, cpus func(domid uint16, v xenctl.VCPU) ([]int, error)) *List {
	return &List{h: h, store: s, cpus: cpus, names: map[uint16]named{}}
}

// All returns all domains that there are now. Where xenstored does not answer,
// a domain has the name that it had, or none.
func (l *List) All(ctx context.Context) ([]platform.Domain, error) {
	infos, err := l.h.Domains()
	if err != nil {
		return nil, err
	}
	var all []platform.Domain
	infos = slices.DeleteFunc(infos, func(i xenctl.DomainInfo) bool { return i.Dying })
	names := l.ask(ctx, infos)
	for _, info := range infos {
		cpus, err := l.cpusOf(info)
		if errors.Is(err, xenctl.ErrNoDomain) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, platform.Domain{
			ID: strconv.Itoa(int(info.ID)), UUID: UUID(info.UUID), Name: names[info.ID].name, CPUs: cpus,
			Control: info.ID == 0 || info.Xenstore,
		})
	}
	return all, nil
}

// ask returns the names of domains, by their numbers.
func (l *List) ask(ctx context.Context, infos []xenctl.DomainInfo) map[uint16]named {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make(map[uint16]named, len(infos))
	for _, info := range infos {
		name, err := l.store.Read(ctx, fmt.Sprintf("/local/domain/%d/name", info.ID))
		switch was, ok := l.names[info.ID]; {
		case err == nil:
			names[info.ID] = named{info.UUID, string(name)}
		case ok && was.uuid == info.UUID:
			names[info.ID] = was
		}
	}
	l.names = names
	return names
}

func (l *List) cpusOf(info xenctl.DomainInfo) ([]int, error) {
	var all []int
	for i := range info.MaxVCPUID + 1 {
		v, err := l.h.VCPU(info.ID, i)
		if err != nil {
			return nil, err
		}
		if !v.Online {
			continue
		}
		cpus, err := l.cpus(info.ID, v)
		if err != nil {
			return nil, err
		}
		all = append(all, cpus...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// UUID is a domain's handle as the toolstack writes it.
func UUID(b [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Number is the number of a domain of the list.
func Number(d platform.Domain) (uint16, error) {
	n, err := strconv.ParseUint(d.ID, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no domain's number", platform.ErrNoDomain, d.ID)
	}
	return uint16(n), nil
}
