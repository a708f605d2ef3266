// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// The master's own kinds of reservations in the words of a host.

func ofDomain(d host.Domain, t rtsched.Task, class Class) host.Reservation {
	return host.Reservation{Task: t, Holder: host.Holder{Domain: &d}, Class: host.Class(class)}
}

func ofThreads(t rtsched.Task, m host.Members, calls []host.Domain) host.Reservation {
	r := host.Reservation{Task: t, Holder: host.Holder{Threads: &m}}
	for _, d := range calls {
		r.Callees = append(r.Callees, host.Callee{Domain: d})
	}
	return r
}

func ofCalls(d host.Domain, t rtsched.Task, listens bool) host.Reservation {
	return host.Reservation{Task: t, Callees: []host.Callee{{Domain: d, Listens: listens}}}
}

type reserver struct{ host.Host }

func (r reserver) Unreserve(ctx context.Context, id uint32) error {
	return r.Host.Unreserve(ctx, ofThreads(rtsched.Task{ID: id}, host.Members{}, nil))
}

func (r reserver) Reserved(ctx context.Context, id uint32) (host.Usage, error) {
	return r.Usage(ctx, ofThreads(rtsched.Task{ID: id}, host.Members{}, nil))
}

type paying struct{ host.Host }

func (p paying) Pay(ctx context.Context, d host.Domain, t rtsched.Task, listens bool) error {
	return p.Reserve(ctx, ofCalls(d, t, listens))
}

func (p paying) Unpay(ctx context.Context, d host.Domain, id uint32) error {
	return p.Unreserve(ctx, ofCalls(d, rtsched.Task{ID: id}, false))
}

func (p paying) Paid(ctx context.Context, id uint32) (host.Usage, error) {
	return p.Usage(ctx, ofCalls(host.Domain{}, rtsched.Task{ID: id}, false))
}

func (m *Master) paying() (paying, bool) { return paying{m.host}, m.host.Can().Calls }

func (m *Master) freed(ctx context.Context, d host.Domain, id uint32) error {
	return m.host.Unreserve(ctx, ofDomain(d, rtsched.Task{ID: id}, ""))
}
