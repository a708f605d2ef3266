// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// Payment is a wish for a reservation that pays for calls to a domain.
type Payment struct {
	Key  string // whose calls: it tells payments apart
	Wish        // the domain that may be called
	// Listens says that the domain's server tells the host when it is
	// done with a call.
	Listens bool
}

// Payer is a reservation that pays for calls, whether or not the domain runs
// just now.
type Payer struct {
	Key         string        `json:"key"`
	UUID        string        `json:"uuid"` // of the domain
	Reservation uint32        `json:"reservation"`
	Budget      time.Duration `json:"budget_ns"`
	Period      time.Duration `json:"period_ns"`
	CPUs        []int         `json:"cpus"` // where the domain was last
	Listens     bool          `json:"listens,omitempty"`
	// Waits says that it does not fit where its domain is, and so has no room
	// anywhere until it does.
	Waits bool `json:"waits,omitempty"`
}

func (p Payer) task() rtsched.Task {
	return rtsched.Task{ID: p.Reservation, Budget: p.Budget, Period: p.Period}
}

// payer is one with the domain that it was last seen to pay for.
type payer struct {
	Payer
	domain  host.Domain
	problem error // why it pays no longer
}

// Pay returns the reservation of a configured payment, which pays for calls to
// the domain as it is now. The one caller asks for it before it opens a channel:
// what an earlier one left unanswered is taken as done. Errors as for Adopt; host.ErrNotHere.
func (m *Master) Pay(ctx context.Context, key string) (reservation uint32, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.payments, func(p Payment) bool { return p.Key == key })
	if i < 0 {
		return 0, fmt.Errorf("nobody pays for %s any more", key)
	}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return 0, err
	}
	p, err := m.payerFor(all, m.payments[i], m.payers)
	if err != nil {
		return 0, err
	}
	if err := m.pay(ctx, p); err != nil {
		return 0, err
	}
	return p.Reservation, m.host.Clear(ctx, p.Reservation)
}

// payersFor are those of the payments whose domains are there, if all fit
// beside those that wait for theirs; lenient says that what does not fit may
// wait. It leaves them with m, which is one to think with.
func (m *Master) payersFor(all []host.Domain, payments []Payment, were map[string]*payer, lenient bool) ([]*payer, error) {
	var fits []*payer
	for _, wish := range payments {
		p, err := m.payerFor(all, wish, were)
		if errors.Is(err, host.ErrNoDomain) {
			if was := were[wish.Key]; was != nil {
				m.payers[wish.Key] = was
			}
			continue // until it comes
		}
		if was := were[wish.Key]; errors.Is(err, host.ErrNotAdmitted) && (lenient || was != nil && was.Waits && was.task() == p.task()) {
			p.Waits, p.problem, err = true, err, nil
		}
		if err != nil {
			return nil, err
		}
		m.payers[p.Key] = p
		fits = append(fits, p)
	}
	return fits, nil
}

// payerFor is the payer that is asked for; with a Refusal if it does not fit.
func (m *Master) payerFor(all []host.Domain, wish Payment, were map[string]*payer) (*payer, error) {
	paying, ok := m.paying()
	if !ok {
		return nil, fmt.Errorf("%s: calls are not paid on host %s: it is %w: leave out budget and period", wish.Key, m.host.Name(), host.ErrNotHere)
	}
	d, err := find(all, wish.Domain)
	if err != nil {
		return nil, err
	}
	if d.Control {
		return nil, fmt.Errorf("domain %s: %w: nobody pays for calls to it", d, ErrControl)
	}
	if m.of(d) != nil && !paying.Can().Both {
		return nil, fmt.Errorf("pay for %s: domain %s: %w: it is adopted, and so pays for itself: release it, or leave out budget and period",
			wish.Key, d, host.ErrNotAllowed)
	}
	p := &payer{Payer: Payer{Key: wish.Key, UUID: d.UUID, Budget: wish.Budget, Period: wish.Period, CPUs: d.CPUs, Listens: wish.Listens}, domain: d}
	if was := were[wish.Key]; was != nil {
		p.Reservation = was.Reservation
		if sameDomain(was.domain, d) {
			p.UUID = was.UUID
		}
	} else if p.Reservation, err = m.number(); err != nil {
		return nil, err
	}
	if err := m.admit(p.task(), d.CPUs); err != nil {
		return p, fmt.Errorf("pay for %s: %w", wish.Key, err)
	}
	return p, nil
}

// pay does what was found to fit.
func (m *Master) pay(ctx context.Context, p *payer) error {
	was := m.payers[p.Key]
	err := enter(m.payers, p.Key, p, func() error {
		if was == nil || !reflect.DeepEqual(was.Payer, p.Payer) {
			if err := m.write(); err != nil { // as in adopt
				return err
			}
		}
		return paying{m.host}.Pay(ctx, p.domain, p.task(), p.Listens)
	})
	if err == nil {
		if was == nil || was.task() != p.task() || was.domain.ID != p.domain.ID {
			m.log.Info("pays for calls", "key", p.Key, "domain", p.domain.String(), "reservation", p.Reservation, "budget", p.Budget, "period", p.Period)
		}
		return nil
	}
	return errors.Join(fmt.Errorf("pay for %s: %w", p.Key, m.named(err)), m.write())
}

// dropPayers takes the payments over, and back what none of them wants, or
// wants for another domain.
func (m *Master) dropPayers(ctx context.Context, all []host.Domain, payments []Payment, keep []*payer) error {
	m.payments = payments
	var errs []error
	for key, p := range m.payers {
		if slices.ContainsFunc(keep, func(k *payer) bool { return k.Key == key && k.UUID == p.UUID }) || m.waits(all, p) {
			continue
		}
		delete(m.payers, key)
		paying, ok := m.paying()
		if !ok {
			continue // what another host's master left
		}
		d, _ := p.among(all)
		if err := paying.Unpay(ctx, d, p.Reservation); err != nil {
			m.payers[key] = p
			errs = append(errs, fmt.Errorf("end paying for %s: %w", key, err))
			continue
		}
		m.log.Info("pays for calls no longer", "key", key, "reservation", p.Reservation)
	}
	return errors.Join(append(errs, m.write())...)
}

// waits reports whether a payer is still wanted, for a domain that is not there
// now.
func (m *Master) waits(all []host.Domain, p *payer) bool {
	_, here := p.among(all)
	return !here && slices.ContainsFunc(m.payments, func(w Payment) bool { return w.Key == p.Key })
}

// among finds a payer's domain: the one that it pays for, as long as that lives, or
// the one with its UUID.
func (p *payer) among(all []host.Domain) (host.Domain, bool) {
	for _, is := range []func(host.Domain) bool{
		func(d host.Domain) bool { return sameDomain(d, p.domain) },
		func(d host.Domain) bool { return d.UUID == p.UUID },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], true
		}
	}
	return host.Domain{}, false
}

// allPayers are all, by number.
func (m *Master) allPayers() []*payer {
	return inOrder(m.payers, func(p *payer) uint32 { return p.Reservation })
}

// reviewPayers tests those again whose domains are on other CPUs now. One that
// does not fit there pays for nothing until it does.
func (m *Master) reviewPayers(ctx context.Context, all []host.Domain) {
	paying, ok := m.paying()
	if !ok {
		return // what another host's master left
	}
	for _, p := range m.allPayers() {
		d, here := p.among(all)
		if !here || d.Err != nil || slices.Equal(d.CPUs, p.CPUs) && p.problem == nil {
			continue
		}
		p.CPUs = d.CPUs
		err := m.admit(p.task(), p.CPUs)
		switch {
		case err != nil && !p.Waits:
			p.Waits = true
			err = errors.Join(err, paying.Unpay(ctx, d, p.Reservation))
			m.log.Warn("pays for calls no longer: it does not fit where the domain is now", "key", p.Key, "domain", d.String(), "error", err)
		case err == nil && p.Waits:
			p.Waits = false
			if err = paying.Pay(ctx, d, p.task(), p.Listens); err == nil {
				p.domain = d
				m.log.Info("pays for calls again", "key", p.Key, "domain", d.String(), "reservation", p.Reservation)
			}
		}
		p.problem = err
	}
}

// Identify returns those of some domains, by number, name or UUID, that are there.
func (m *Master) Identify(ctx context.Context, refs []string) (map[string]host.Domain, error) {
	all, err := m.host.Domains(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]host.Domain, len(refs))
	for _, ref := range refs {
		if d, err := find(all, ref); err == nil {
			found[ref] = d
		}
	}
	return found, nil
}

// Watches reports whether the host sees whose server hangs.
func (m *Master) Watches() bool {
	return m.host.Can().Stuck
}

// Stuck returns those of some domains whose servers hang, as the host sees
// it; see [host.Host]. Domains that are not there do not.
func (m *Master) Stuck(ctx context.Context, refs []string) (stuck []string, err error) {
	if !m.Watches() {
		return nil, fmt.Errorf("whose server hangs is %w", host.ErrNotHere)
	}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		d, err := find(all, ref)
		if err != nil {
			continue
		}
		hangs, err := m.host.Stuck(ctx, d)
		if err != nil {
			return stuck, fmt.Errorf("domain %s: %w", d, err)
		}
		if hangs {
			stuck = append(stuck, ref)
		}
	}
	return stuck, nil
}
