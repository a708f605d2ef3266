// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// apart is the time between an answer and the next request of [Program.Each]: the
// service sleeps again.
const apart = 2 * time.Millisecond

// Each starts the service on a CPU, stores all data, and makes n requests, each when
// the one before it was answered. It calls begin before the first of them. It returns
// by how much count rose for each; pid is the service's process.
func (p Program) Each(ctx context.Context, cpu, n int, begin func() error, count func(pid int) (uint64, error)) (rose []uint64, err error) {
	s, err := p.start(ctx, cpu)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	at, err := netip.ParseAddrPort(s.address)
	if err != nil {
		return nil, err
	}
	g, err := Open(at, large)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if err := begin(); err != nil {
		return nil, err
	}
	m := newMix(large, 1)
	last, err := count(s.cmd.Process.Pid)
	for i := 0; i < n && err == nil; i++ {
		if err = errors.Join(ctx.Err(), g.connections[i%connections].send(m.next(), 0)); err != nil {
			break
		}
		if err = g.settle(); err != nil {
			break
		}
		time.Sleep(apart)
		var now uint64
		if now, err = count(s.cmd.Process.Pid); err == nil {
			rose = append(rose, now-last)
			last = now
		}
	}
	return rose, err
}
