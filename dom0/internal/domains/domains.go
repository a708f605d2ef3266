// SPDX-License-Identifier: Apache-2.0

package domains

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/flock"
	"github.com/vlibos/vlibos/xenctl"
)

// patience is how long xenstored may take for the names in one listing, and first in
// the first one: there is no last known name then, and domains are found by theirs.
const (
	patience = 200 * time.Millisecond
	first    = 2 * time.Second
)

// Hypervisor is the part of *xenctl.Handle that finds domains.
type Hypervisor interface {
	Domains() ([]xenctl.DomainInfo, error)
	DomainInfo(domid uint16) (xenctl.DomainInfo, error)
	VCPU(domid uint16, vcpu int) (xenctl.VCPU, error)
	Affinity(domid uint16, vcpu int) ([]int, error)
	Pool(id uint32) (xenctl.Pool, error)
}

// Store is the part of *xenstore.Client that names them.
type Store interface {
	Read(ctx context.Context, path string) ([]byte, error)
}

// List finds domains. Its methods may be called concurrently.
type List struct {
	h     Hypervisor
	store Store
	stays bool

	mu    sync.Mutex
	known map[uint16]known
	born  uint64 // the last generation

	backends map[uint16][]host.Helper // by domain, as of listed
	listed   time.Time
}

// known is the last state of a domain.
type known struct {
	generation uint64
	used       time.Duration
	name       string // from xenstored's last answer, like models

	models [len(modelNodes)]string
}

// slack is by how much a domain's CPU time may seem to shrink: it is the sum of
// readings of several CPUs' clocks.
const slack = time.Millisecond

// Another reports whether a record belongs to another domain than the one with
// that number that had used that much CPU time. Xen reuses numbers, and
// toolstacks change handles, but a domain's CPU time only grows. (Xen 4.17 has
// no generations of a number.)
func Another(info xenctl.DomainInfo, used time.Duration) bool { return info.CPUTime+slack < used }

// New returns a list. A vCPU stays on its CPU, or else may run on those of its pool
// that its affinity allows.
func New(h Hypervisor, s Store, stays bool) *List {
	return &List{h: h, store: s, stays: stays}
}

// All returns all domains. If xenstored does not answer, a domain has its last
// known name, or none. A vCPU takes one hypercall, or two if it does not stay on its
// CPU, a hundred domains take one more, and so does each pool.
func (l *List) All(ctx context.Context) ([]host.Domain, error) {
	infos, now, err := l.ask(ctx)
	if err != nil {
		return nil, err
	}
	var all []host.Domain
	pools := make(map[uint32]xenctl.Pool)
	for _, info := range infos {
		cpus, unplugged, err := l.cpusOf(info, pools)
		if errors.Is(err, xenctl.ErrNoDomain) {
			continue // it has ended meanwhile
		}
		all = append(all, host.Domain{
			ID: strconv.Itoa(int(info.ID)), Generation: now[info.ID].generation, UUID: UUID(info.UUID), Name: now[info.ID].name,
			CPUs: cpus, VCPUs: info.MaxVCPUID + 1, Unplugged: unplugged, Err: err, Control: info.ID == 0 || info.Xenstore, Work: work(info),
		})
	}
	return all, nil
}

// ask returns the records of domains, and their states by number. Records are compared in
// the order in which they were read: an earlier one has less CPU time, as another domain
// with that number would.
func (l *List) ask(ctx context.Context) ([]xenctl.DomainInfo, map[uint16]known, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := patience
	if l.known == nil {
		limit = first
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	infos, err := l.h.Domains()
	if err != nil {
		return nil, nil, err
	}
	infos = slices.DeleteFunc(infos, func(i xenctl.DomainInfo) bool { return i.Dying })
	now := make(map[uint16]known, len(infos))
	for _, info := range infos {
		d, ok := l.known[info.ID]
		if !ok || Another(info, d.used) {
			l.born++
			d = known{generation: l.born}
		}
		d.used = max(d.used, info.CPUTime)
		if name, err := l.store.Read(ctx, fmt.Sprintf("/local/domain/%d/name", info.ID)); err == nil {
			d.name = string(name)
		}
		now[info.ID] = d
	}
	l.known = now
	return infos, now, nil
}

func work(info xenctl.DomainInfo) host.Work {
	w := host.Work{CPU: info.CPUTime}
	if info.Paused {
		w.Gate = host.Paused
	}
	return w
}

// cpusOf are the CPUs of a domain's vCPUs, and the vCPUs that are not plugged in.
func (l *List) cpusOf(info xenctl.DomainInfo, pools map[uint32]xenctl.Pool) (all, unplugged []int, err error) {
	for i := range info.MaxVCPUID + 1 {
		v, err := l.h.VCPU(info.ID, i)
		if err != nil {
			return nil, nil, err
		}
		if !v.Online {
			unplugged = append(unplugged, i)
			continue
		}
		if l.stays {
			all = append(all, v.CPU)
			continue
		}
		cpus, err := l.h.Affinity(info.ID, i)
		if err != nil {
			return nil, nil, err
		}
		pool, ok := pools[info.CPUPool]
		if !ok {
			if pool, err = l.h.Pool(info.CPUPool); err != nil {
				return nil, nil, err
			}
			pools[info.CPUPool] = pool
		}
		all = append(all, slices.DeleteFunc(cpus, func(c int) bool { return !slices.Contains(pool.CPUs, c) })...)
	}
	slices.Sort(all)
	return slices.Compact(all), unplugged, nil
}

// Own locks the Xen host for this process: Dom0 controls it through one device,
// in whatever namespaces a process runs.
func Own() (*os.File, error) { return flock.Take("/dev/xen/privcmd", os.O_RDWR) }

// UUID is a domain's handle as the toolstack writes it.
func UUID(b [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Number is the number of a domain of the list.
func Number(d host.Domain) (uint16, error) {
	n, err := strconv.ParseUint(d.ID, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is not a domain's number", host.ErrNoDomain, d.ID)
	}
	return uint16(n), nil
}
