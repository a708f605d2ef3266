// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"fmt"
	"slices"

	"github.com/vlibos/vlibos/dom0/host"
)

// served returns why a domain's device model cannot be on its reservation: there is
// none.
func (m *Master) served(ctx context.Context, e *entry) error {
	if !e.DeviceModel {
		return nil
	}
	w, err := m.host.Work(ctx, *e.Domain)
	if err == nil && host.Model(w.Helpers) == nil {
		err = fmt.Errorf("%w: it has no device model here: PV and PVH domains have none, and one in a stub domain is adopted as that domain: leave out --with-device-model", host.ErrNotAllowed)
	}
	return err
}

// besideOf are the CPUs of the device model that is to be on a domain's reservation;
// none if there is none now, or the host cannot tell.
func (t *table) besideOf(ctx context.Context, e *entry) []int {
	if !e.DeviceModel || e.Domain == nil {
		return nil
	}
	w, _ := t.host.Work(ctx, *e.Domain) // without it no device model is found
	m := host.Model(w.Helpers)
	if m == nil {
		return nil
	}
	cpus, _ := t.host.MemberCPUs(m.Members) // it has ended, or its CPUs change
	return cpus
}

// promised are the CPUs, which ascend, where an entry's budget counts.
func (e *entry) promised() []int {
	if len(e.beside) == 0 {
		return e.CPUs
	}
	all := slices.Concat(e.CPUs, e.beside)
	slices.Sort(all)
	return slices.Compact(all)
}
