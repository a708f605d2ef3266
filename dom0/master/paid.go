// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"errors"

	"github.com/vlibos/vlibos/dom0/host"
)

// PaidStatus is a reservation that pays for calls and how it fares.
type PaidStatus struct {
	Payer
	Domain string `json:"domain"` // the host's number or name; empty: it does not run
	host.Usage
	Problem string `json:"problem,omitempty"`
}

// ListPaid returns all reservations that pay for calls, by number. One whose use
// cannot be read has a problem.
func (m *Master) ListPaid(ctx context.Context) []PaidStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]PaidStatus, 0, len(m.payers))
	paying, ok := m.paying()
	if !ok {
		return all // what is left is another host's
	}
	for _, p := range m.allPayers() {
		s := PaidStatus{Payer: p.Payer, Domain: p.domain.ID}
		if p.problem != nil {
			s.Problem = p.problem.Error()
			all = append(all, s)
			continue
		}
		u, err := paying.Paid(ctx, p.Reservation)
		switch {
		case errors.Is(err, host.ErrNoDomain):
			s.Domain = ""
		case err != nil:
			s.Problem = err.Error()
		}
		s.Usage = u
		all = append(all, s)
	}
	return all
}
