// SPDX-License-Identifier: Apache-2.0

package counted

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/bench/guest"
	"github.com/vlibos/vlibos/builtin"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
)

// echo returns a call to a guest with 64 bytes each way.
func echo(g *guest.Guest) func() error {
	var message [64]byte
	dst := make([]byte, 0, len(message))
	// A context that can end costs an allocation a call.
	background := context.Background()
	return func() error {
		_, err := g.Call(background, builtin.Library, builtin.Echo, message[:], dst)
		return err
	}
}

// spinSettles is how much time a domain has used when it surely spins.
const spinSettles = 100 * time.Millisecond

// spin keeps a domain's CPU busy until stop.
func spin(ctx context.Context, h *xenctl.Handle, domid uint16) (stop func() error, err error) {
	g, err := guest.Open(ctx, domid, vlibcall.Options{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c, err := g.Start(ctx, taskProgram, "spin")
	stop = func() error {
		cancel()
		<-c.Done()
		return g.Close()
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	from, err := cpuTime(h, domid)
	for used := time.Duration(0); err == nil && used < spinSettles; {
		select {
		case <-c.Done():
			_, err = c.Output()
			err = fmt.Errorf("domain %d does not spin: %w", domid, err)
		case <-time.After(10 * time.Millisecond):
			var t time.Duration
			t, err = cpuTime(h, domid)
			used = t - from
		}
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// cpuTime is what Xen's own accounting says that a domain ran.
func cpuTime(h *xenctl.Handle, domid uint16) (time.Duration, error) {
	info, err := h.DomainInfo(domid)
	return info.CPUTime, err
}
