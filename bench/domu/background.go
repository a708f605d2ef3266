// SPDX-License-Identifier: Apache-2.0

package domu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
)

// CPUTime returns a counter for [Background]: the nanoseconds that a domain has
// run, by Xen's own accounting.
func CPUTime(h *xenctl.Handle, domid uint16) func() (uint64, error) {
	return func() (uint64, error) {
		info, err := h.DomainInfo(domid)
		return uint64(info.CPUTime), err
	}
}

// Background runs an endless command in a domain, by one call. It returns when
// the counter done has grown by enough, which shows that the command runs. The
// caller calls stop once, which ends the command.
func Background(ctx context.Context, domid uint16, o vlibcall.Options, done func() (uint64, error), enough uint64, argv ...string) (stop func() error, err error) {
	g, err := Open(ctx, domid, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c, err := g.Start(ctx, argv...)
	if err != nil {
		cancel()
		return nil, errors.Join(err, g.Close())
	}
	stop = func() error {
		cancel()
		<-c.Done()
		return g.Close()
	}
	from, err := done()
	for now := from; err == nil && now-from < enough; now, err = done() {
		select {
		case <-c.Done():
			_, err := c.Output()
			return nil, errors.Join(fmt.Errorf("%v in domain %d has ended", argv, domid), err, stop())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}
