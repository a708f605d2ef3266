// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"
	"math/bits"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Scheduler is one of Xen's schedulers, XEN_SCHEDULER_*.
type Scheduler uint32

// The schedulers of Xen 4.17 to 4.22.
const (
	Credit   Scheduler = 5
	Credit2  Scheduler = 6
	ARINC653 Scheduler = 7
	RTDS     Scheduler = 8
	Null     Scheduler = 9
)

var schedulerText = map[Scheduler]string{Credit: "credit", Credit2: "credit2", ARINC653: "arinc653", RTDS: "rtds", Null: "null"}

func (s Scheduler) String() string {
	if text := schedulerText[s]; text != "" {
		return text
	}
	return fmt.Sprintf("scheduler %d", uint32(s))
}

// Weighs reports whether the scheduler's domains have weights.
func (s Scheduler) Weighs() bool { return s == Credit || s == Credit2 }

// Pool is a cpupool: CPUs under one scheduler.
type Pool struct {
	ID        uint32
	Scheduler Scheduler
	CPUs      []int // ascending
}

// maxCPUs limits the CPU maps that are requested. Xen 4.17 supports at most 4095 CPUs;
// CPUs above that, which later releases can be built for, are not seen.
const maxCPUs = 4096

// mapOffset is where a CPU map begins in the buffer, after the request.
const mapOffset = 256

// Pool returns a cpupool, or [ErrNotSupported] if there is none with that
// number.
func (h *Handle) Pool(id uint32) (Pool, error) {
	p, err := h.pool(id)
	return p, opError(fmt.Sprintf("look up cpupool %d", id), err)
}

func (h *Handle) pool(id uint32) (pool Pool, err error) {
	err = sysctlOf(h, sysctlCPUPoolOp, func(u *cpuPoolOp, b *buffer, ask func() error) error {
		cpus, addr := b.at(mapOffset)
		u.op, u.cpupoolID = cpuPoolInfo, id
		u.cpumap = bitmap{address: addr, bits: maxCPUs}
		if err := ask(); err != nil {
			return err
		}
		// For an unused number Xen answers with the next higher pool.
		if u.cpupoolID != id {
			return unix.ENOENT
		}
		pool = Pool{ID: id, Scheduler: Scheduler(u.schedID), CPUs: members(cpus)}
		return nil
	})
	return pool, err
}

// Affinity returns the CPUs on which a vCPU may run (its hard affinity),
// ascending. Some may be in other pools, or not exist. [ErrNoDomain]: no such
// domain, or no such vCPU.
func (h *Handle) Affinity(domid uint16, vcpu int) ([]int, error) {
	op := fmt.Sprintf("look up the affinity of vCPU %d of domain %d", vcpu, domid)
	cpus, err := h.affinity(domid, vcpu)
	if errors.Is(err, unix.EINVAL) {
		err = fmt.Errorf("%w with that vCPU (%w)", ErrNoDomain, err)
	}
	return cpus, opError(op, err)
}

func (h *Handle) affinity(domid uint16, vcpu int) ([]int, error) {
	version, err := h.domctlVersion()
	if err != nil {
		return nil, err
	}
	b, err := h.buffers.get()
	if err != nil {
		return nil, err
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	cpus, cpusAddr := b.at(mapOffset)
	op := (*domctl)(p)
	op.cmd, op.interfaceVersion, op.domain = domctlGetVCPUAffinity, version, domid
	u := (*vcpuAffinity)(unsafe.Pointer(&op.u)) // another member of the union
	u.vcpu, u.flags = uint32(vcpu), affinityHard
	u.hard = bitmap{address: cpusAddr, bits: maxCPUs}
	if _, err := h.hypercall(hypercallDomctl, addr); err != nil {
		return nil, err
	}
	return members(cpus), nil
}

// members lists the bits that are set in a map of maxCPUs bits.
func members(p unsafe.Pointer) []int {
	var list []int
	for i, b := range unsafe.Slice((*byte)(p), maxCPUs/8) {
		for ; b != 0; b &= b - 1 {
			list = append(list, 8*i+bits.TrailingZeros8(b))
		}
	}
	return list
}

// Weight is a domain's parameters under a scheduler with weights.
type Weight struct {
	Weight uint16 // 1 to 65535; the default is 256
	Cap    uint16 // largest use in per cent of a CPU; 0: no cap
}

// Weight returns a domain's weight under that scheduler, which must have
// weights and be the domain's: EINVAL means that it is not.
func (h *Handle) Weight(domid uint16, s Scheduler) (Weight, error) {
	w, err := h.schedulerOp(domid, s, schedulerGetInfo, Weight{})
	return w, opError(fmt.Sprintf("look up the weight of domain %d", domid), err)
}

// SetWeight sets weight and cap together. To change one, pass the other as
// Weight returned it.
func (h *Handle) SetWeight(domid uint16, s Scheduler, w Weight) error {
	_, err := h.schedulerOp(domid, s, schedulerPutInfo, w)
	return opError(fmt.Sprintf("set the weight of domain %d to %d", domid, w.Weight), err)
}

func (h *Handle) schedulerOp(domid uint16, s Scheduler, cmd uint32, w Weight) (Weight, error) {
	if !s.Weighs() {
		return Weight{}, fmt.Errorf("%w: %v has no weights", ErrNotSupported, s)
	}
	var u getDomainInfo
	op := (*schedulerOp)(unsafe.Pointer(&u)) // another member of the union
	*op = schedulerOp{schedID: uint32(s), cmd: cmd, weight: w.Weight, cap: w.Cap}
	u, err := h.domctl(domctlSchedulerOp, domid, u)
	return Weight{op.weight, op.cap}, err
}
