// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MonitorEvent is what the processor counts by resource monitoring ID (Intel SDM 3,
// 18.18; AMD APM 2, 19.3). Values are in units of [Monitoring].Unit.
type MonitorEvent uint32

// The events. The last two are counters, which wrap at a width of at least 24 bits.
const (
	CacheOccupancy MonitorEvent = 1 // of the third-level cache, now
	MemoryTotal    MonitorEvent = 2 // moved between that cache and memory
	MemoryLocal    MonitorEvent = 3 // of that, memory of the same socket
)

// The registers that Xen lets its control domain use for this.
const (
	msrMonitorSelect = 0xc8d // IA32_QM_EVTSEL
	msrMonitorCount  = 0xc8e // IA32_QM_CTR

	countError       = 1 << 63 // no such ID or event
	countUnavailable = 1 << 62 // no value yet
)

// Monitoring is what can be monitored.
type Monitoring struct {
	IDs  int    // domains that can be monitored at once
	Unit uint64 // bytes
	// Cache is the size in bytes of the third-level cache; 0: Xen does not know it. It
	// asks a leaf of CPUID that AMD's processors do not have.
	Cache uint64
	// Events has bit n set if the processor counts event n+1.
	Events uint64
}

// Counts reports whether the processor counts an event.
func (m Monitoring) Counts(e MonitorEvent) bool { return m.Events>>(e-1)&1 != 0 }

// ErrNoMonitor reports that all resource monitoring IDs are in use.
var ErrNoMonitor = errors.New("no resource monitoring ID is free")

// ErrNoValue reports that the processor has no value for a monitoring ID now.
var ErrNoValue = errors.New("the processor has no value")

// Monitoring asks what can be monitored, and for the cache of an online CPU.
// [ErrNotSupported]: nothing, or Xen was started without psr=cmt.
func (h *Handle) Monitoring(cpu int) (m Monitoring, err error) {
	var ids uint64
	for _, q := range []struct {
		cmd uint32
		in  uint64
		out *uint64
	}{{psrMonitorIDs, 0, &ids}, {psrMonitorScale, 0, &m.Unit}, {psrMonitorEvents, 0, &m.Events}, {psrMonitorCache, uint64(cpu), &m.Cache}} {
		*q.out, err = h.monitorInfo(q.cmd, q.in)
		if errors.Is(err, unix.EIO) && q.cmd == psrMonitorCache {
			*q.out = 0
		} else if err != nil {
			return Monitoring{}, opError("ask what can be monitored", err)
		}
	}
	m.IDs, m.Cache = int(ids), m.Cache<<10
	return m, nil
}

func (h *Handle) monitorInfo(cmd uint32, in uint64) (out uint64, err error) {
	err = sysctlOf(h, sysctlPSRMonitor, func(u *psrMonitorOp, _ *buffer, ask func() error) error {
		u.cmd, u.data = cmd, in
		err := ask()
		out = u.data
		return err
	})
	return out, err
}

// Monitor gives a domain a resource monitoring ID, if it has none. Errors:
// [ErrNoMonitor], [ErrNoDomain], [ErrNotSupported].
func (h *Handle) Monitor(domid uint16) error {
	_, err := h.monitored(domid, monitorAttach)
	switch {
	case err == nil:
		h.Reload(domid)
	case errors.Is(err, unix.EEXIST):
		return nil
	case errors.Is(err, unix.EOVERFLOW):
		err = fmt.Errorf("%w (%w)", ErrNoMonitor, err)
	}
	return opError(fmt.Sprintf("monitor domain %d", domid), err)
}

// Unmonitor takes a domain's ID away, if it has one.
func (h *Handle) Unmonitor(domid uint16) error {
	_, err := h.monitored(domid, monitorDetach)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil {
		h.Reload(domid)
	}
	return opError(fmt.Sprintf("stop to monitor domain %d", domid), err)
}

// MonitorID returns a domain's resource monitoring ID; 0: it has none.
func (h *Handle) MonitorID(domid uint16) (uint32, error) {
	u, err := h.monitored(domid, monitorQuery)
	return u.data, opError(fmt.Sprintf("look up the monitoring ID of domain %d", domid), err)
}

func (h *Handle) monitored(domid uint16, cmd uint32) (psrMonitored, error) {
	var u getDomainInfo
	op := (*psrMonitored)(unsafe.Pointer(&u)) // another member of the union
	op.cmd = cmd
	u, err := h.domctl(domctlPSRMonitor, domid, u)
	return *op, err
}

// MonitorCount reads what an ID has counted on the socket of a CPU, in units of
// [Monitoring].Unit. Errors: [ErrNoValue], and [ErrNotSupported] if the CPU is offline.
func (h *Handle) MonitorCount(cpu int, id uint32, e MonitorEvent) (uint64, error) {
	v, err := h.monitorCount(cpu, id, e)
	return v, opError(fmt.Sprintf("read event %d of monitoring ID %d on CPU %d", e, id, cpu), err)
}

func (h *Handle) monitorCount(cpu int, id uint32, e MonitorEvent) (uint64, error) {
	b, err := h.buffers.get()
	if err != nil {
		return 0, err
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	entries, entriesAddr := b.at(listOffset)
	// Xen makes both accesses on the CPU without another request between them.
	access := (*[2]resourceEntry)(entries)
	access[0] = resourceEntry{cmd: resourceWrite, index: msrMonitorSelect, value: uint64(id)<<32 | uint64(e)}
	access[1] = resourceEntry{cmd: resourceRead, index: msrMonitorCount}
	op := (*platformOp)(p)
	op.cmd, op.interfaceVersion = platformResource, platformVersion
	op.u = resourceOp{entries: uint32(len(access)), cpu: uint32(cpu), buffer: entriesAddr}
	done, err := h.hypercall(hypercallPlatform, addr)
	if err != nil {
		return 0, err
	}
	if done < uintptr(len(access)) {
		if errno := -int32(access[done].cmd); errno > 0 {
			return 0, unix.Errno(errno)
		}
		return 0, fmt.Errorf("%w: %d of %d accesses", ErrBroken, done, len(access))
	}
	if v := access[1].value; v&(countError|countUnavailable) == 0 {
		return v, nil
	}
	return 0, ErrNoValue
}

// topologyMax is for how many CPUs there is room in the buffer, after the request.
const topologyMax = (bufferSize - listOffset) / int(unsafe.Sizeof(cpuTopology{}))

// SocketCPUs returns an online CPU of each socket that has one, by the socket's number.
func (h *Handle) SocketCPUs() (map[int]int, error) {
	cpus, err := h.socketCPUs()
	return cpus, opError("look up the CPUs of sockets", err)
}

func (h *Handle) socketCPUs() (map[int]int, error) {
	cpus := make(map[int]int)
	err := sysctlOf(h, sysctlCPUTopology, func(u *cpuTopologyOp, b *buffer, ask func() error) error {
		records, addr := b.at(listOffset)
		*u = cpuTopologyOp{numCPUs: uint32(topologyMax), buffer: addr}
		if err := ask(); err != nil {
			return err
		}
		for cpu, c := range unsafe.Slice((*cpuTopology)(records), min(int(u.numCPUs), topologyMax)) {
			if _, known := cpus[int(c.socket)]; !known && c.socket != noSocket {
				cpus[int(c.socket)] = cpu
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cpus, nil
}
