// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// VCPU is Xen's record of one vCPU at one moment (struct
// xen_domctl_getvcpuinfo).
type VCPU struct {
	ID      int
	Online  bool
	Blocked bool // it waits for an event
	Running bool
	CPUTime time.Duration // since the domain was created
	CPU     int           // on which it runs, or has run last
}

// Reload has Xen load the registers of a domain's vCPUs. Class of service and
// monitoring ID are among these, and while a vCPU runs alone on its CPU, Xen never loads
// them otherwise. To read a vCPU's registers it takes the vCPU off its CPU first. It refuses
// that for the vCPU that calls: for that one, and after any other error, the new values hold
// when Xen next switches to it from another domain.
func (h *Handle) Reload(domid uint16) {
	info, err := h.DomainInfo(domid)
	if err != nil {
		return
	}
	version, err := h.domctlVersion()
	if err != nil {
		return
	}
	b, err := h.buffers.get()
	if err != nil {
		return
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	_, registers := b.at(listOffset)
	op := (*domctl)(p)
	for vcpu := range info.MaxVCPUID + 1 {
		op.cmd, op.interfaceVersion, op.domain = domctlVCPUContext, version, domid
		*(*vcpuContext)(unsafe.Pointer(&op.u)) = vcpuContext{vcpu: uint32(vcpu), address: registers}
		_, _ = h.hypercall(hypercallDomctl, addr)
	}
}

// VCPU returns the record of a vCPU. [ErrNoDomain]: no such domain, or no such
// vCPU.
func (h *Handle) VCPU(domid uint16, vcpu int) (VCPU, error) {
	op := fmt.Sprintf("look up vCPU %d of domain %d", vcpu, domid)
	var u getDomainInfo
	info := (*getVCPUInfo)(unsafe.Pointer(&u)) // another member of the union
	info.vcpu = uint32(vcpu)
	u, err := h.domctl(domctlGetVCPUInfo, domid, u)
	if errors.Is(err, unix.EINVAL) {
		err = fmt.Errorf("%w with that vCPU (%w)", ErrNoDomain, err)
	}
	if err != nil {
		return VCPU{}, opError(op, err)
	}
	return VCPU{
		ID: int(info.vcpu), Online: info.online != 0, Blocked: info.blocked != 0, Running: info.running != 0,
		CPUTime: time.Duration(info.cpuTime), CPU: int(info.cpu),
	}, nil
}
