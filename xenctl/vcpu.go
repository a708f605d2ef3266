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
