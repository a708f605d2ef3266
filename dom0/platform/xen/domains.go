// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/vlibos/vlibos/dom0/platform"
	"github.com/vlibos/vlibos/xenctl"
)

// hypervisor is what finding domains needs of a *xenctl.Handle.
type hypervisor interface {
	Domains() ([]xenctl.DomainInfo, error)
	VCPU(domid uint16, vcpu int) (xenctl.VCPU, error)
}

// store is what naming them needs of a *xenstore.Client.
type store interface {
	Read(ctx context.Context, path string) ([]byte, error)
}

// domains lists what Xen has, with the toolstack's names.
func domains(ctx context.Context, h hypervisor, s store) ([]platform.Domain, error) {
	infos, err := h.Domains()
	if err != nil {
		return nil, err
	}
	var all []platform.Domain
	for _, info := range infos {
		if info.Dying {
			continue
		}
		cpus, err := cpusOf(h, info)
		if errors.Is(err, xenctl.ErrNoDomain) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		d := platform.Domain{
			ID: strconv.Itoa(int(info.ID)), UUID: uuid(info.UUID), CPUs: cpus,
			Control: info.ID == 0 || info.Xenstore,
		}
		// A domain without a name in xenstore, or xenstored without an
		// answer, leaves the number and the UUID.
		if name, err := s.Read(ctx, "/local/domain/"+d.ID+"/name"); err == nil {
			d.Name = string(name)
		}
		all = append(all, d)
	}
	return all, nil
}

// cpusOf are the CPUs on which a domain's vCPUs are: under this project's
// scheduler a vCPU stays where it was put.
func cpusOf(h hypervisor, info xenctl.DomainInfo) ([]int, error) {
	var cpus []int
	for i := range info.MaxVCPUID + 1 {
		v, err := h.VCPU(info.ID, i)
		if err != nil {
			return nil, err
		}
		if v.Online {
			cpus = append(cpus, v.CPU)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

func uuid(b [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
