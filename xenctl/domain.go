// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"fmt"
	"unsafe"
)

// DomainInfo returns Xen's record of one domain, or [ErrNoDomain].
func (h *Handle) DomainInfo(domid uint16) (DomainInfo, error) {
	op := fmt.Sprintf("look up domain %d", domid)
	info, err := h.domctl(domctlGetDomainInfo, domid, getDomainInfo{})
	if err != nil {
		return DomainInfo{}, opError(op, err)
	}
	// For an unused number Xen answers with the next higher domain.
	if info.domain != domid {
		return DomainInfo{}, opError(op, ErrNoDomain)
	}
	return info.public(), nil
}

// Pause keeps every vCPU of a domain off every CPU, and returns when they are
// off. Xen counts pauses, for all of Dom0 together, up to 255: the domain runs
// again after as many Unpause calls, by any program. A domain cannot pause
// itself (EINVAL). The count outlives this process.
func (h *Handle) Pause(domid uint16) error {
	_, err := h.domctl(domctlPause, domid, getDomainInfo{})
	return opError(fmt.Sprintf("pause domain %d", domid), err)
}

// Unpause undoes one Pause. EINVAL: the domain is not paused.
func (h *Handle) Unpause(domid uint16) error {
	_, err := h.domctl(domctlUnpause, domid, getDomainInfo{})
	return opError(fmt.Sprintf("unpause domain %d", domid), err)
}

// SetUUID sets a domain's UUID, its handle in Xen (struct
// xen_domctl_setdomainhandle). Toolstacks do so when they rename a domain and
// while they destroy one. The domain's number stays the same, and Xen does
// nothing else with the UUID. [ErrNoDomain]: no such domain.
func (h *Handle) SetUUID(domid uint16, uuid [16]byte) error {
	var u getDomainInfo
	(*setDomainHandle)(unsafe.Pointer(&u)).handle = uuid // another member of the union
	_, err := h.domctl(domctlSetHandle, domid, u)
	return opError(fmt.Sprintf("set the UUID of domain %d", domid), err)
}

// domctl makes a domctl with u, and returns u as Xen has filled it in.
func (h *Handle) domctl(cmd uint32, domid uint16, u getDomainInfo) (getDomainInfo, error) {
	version, err := h.domctlVersion()
	if err != nil {
		return getDomainInfo{}, err
	}
	return h.domctlAs(version, cmd, domid, u)
}

func (h *Handle) domctlAs(version, cmd uint32, domid uint16, u getDomainInfo) (getDomainInfo, error) {
	b, err := h.buffers.get()
	if err != nil {
		return getDomainInfo{}, err
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	op := (*domctl)(p)
	op.cmd, op.interfaceVersion, op.domain, op.u = cmd, version, domid, u
	if _, err := h.hypercall(hypercallDomctl, addr); err != nil {
		return getDomainInfo{}, err
	}
	return op.u, nil
}

// listOffset is where the records begin in the buffer, after the request.
const listOffset = 256

const listMax = (bufferSize - listOffset) / int(unsafe.Sizeof(getDomainInfo{}))

// Domains returns the records of all domains in the order of their numbers,
// including Dom0. The list is read in batches of about a hundred: a domain that
// appears or disappears meanwhile may or may not be in it.
func (h *Handle) Domains() ([]DomainInfo, error) {
	version, err := h.sysctlVersion()
	if err != nil {
		return nil, opError("list domains", err)
	}
	var all []DomainInfo
	for first := 0; first < domidFirstReserved; {
		batch, err := h.sysctlList(version, uint16(first), listMax)
		if err != nil {
			return nil, opError("list domains", err)
		}
		for _, info := range batch {
			if int(info.domain) < first {
				return nil, opError("list domains", fmt.Errorf("%w: domain %d after %d", ErrBroken, info.domain, first-1))
			}
			first = int(info.domain) + 1
			all = append(all, info.public())
		}
		if len(batch) < listMax {
			break
		}
	}
	return all, nil
}

func (h *Handle) sysctlList(version uint32, first uint16, limit int) ([]getDomainInfo, error) {
	b, err := h.buffers.get()
	if err != nil {
		return nil, err
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	records, recordsAddr := b.at(listOffset)
	op := (*sysctl)(p)
	op.cmd, op.interfaceVersion = sysctlGetDomainInfoList, version
	op.u = getDomainInfoList{firstDomain: first, maxDomains: uint32(limit), buffer: recordsAddr}
	if _, err := h.hypercall(hypercallSysctl, addr); err != nil {
		return nil, err
	}
	n := int(op.u.numDomains)
	if n > limit {
		return nil, fmt.Errorf("%w: %d domains, at most %d were requested", ErrBroken, n, limit)
	}
	return append([]getDomainInfo(nil), unsafe.Slice((*getDomainInfo)(records), n)...), nil
}
