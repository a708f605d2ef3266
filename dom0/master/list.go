// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
)

// Status is an adoption and how its domain fares.
type Status struct {
	Adoption
	Domain string `json:"domain"` // the host's number or name; empty: it does not run
	// Absent says that the configuration wants it and no domain was ever seen
	// for it: Name is what the configuration calls it.
	Absent bool `json:"absent,omitempty"`
	host.Usage
	Problem string `json:"problem,omitempty"`
}

// List returns all adoptions, by number of reservation, and then those that the
// configuration wants and that are none yet. One whose use cannot be read has a
// problem; the error says the same.
func (m *Master) List(ctx context.Context) ([]Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Status, 0, len(m.adopted)+len(m.unmet))
	var errs []error
	for _, a := range inOrder(m.adopted, func(a *adoption) uint32 { return a.Reservation }) {
		s := Status{Adoption: a.Adoption, Domain: a.domain.ID}
		if a.problem != nil {
			s.Problem = a.problem.Error()
		}
		if a.running() && a.problem == nil {
			var err error
			s.Usage, err = m.host.Usage(ctx, ofDomain(a.domain, a.task(), a.Class))
			switch {
			case errors.Is(err, host.ErrNoDomain):
				// It is gone, or the host lost it: the next review finds out.
				s.Domain, a.problem = "", err
			case err != nil:
				s.Problem = err.Error()
				errs = append(errs, fmt.Errorf("domain %s: %w", a.domain, err))
			}
		}
		all = append(all, s)
	}
	return append(all, m.unmet...), errors.Join(errs...)
}
