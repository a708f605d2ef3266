// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/xenctl"
)

// echo returns a call to a guest with 64 bytes each way.
func echo(g *domu.Server) func() error {
	var message [64]byte
	dst := make([]byte, 0, len(message))
	// A context that can end costs an allocation for each call.
	background := context.Background()
	return func() error {
		_, err := g.Call(background, builtin.Library, builtin.Echo, message[:], dst)
		return err
	}
}

// spinSettles is the CPU time after which a domain surely spins.
const spinSettles = 100 * time.Millisecond

// spin keeps a domain's CPU busy until stop is called.
func spin(ctx context.Context, h *xenctl.Handle, domid uint16) (stop func() error, err error) {
	return run(ctx, h, domid, spinSettles, taskProgram, "spin")
}

// run runs an endless command in a domain. It returns when the domain has used
// enough CPU time.
func run(ctx context.Context, h *xenctl.Handle, domid uint16, enough time.Duration, argv ...string) (stop func() error, err error) {
	return domu.Background(ctx, domid, vlibcall.Options{}, domu.CPUTime(h, domid), uint64(enough), argv...)
}

// cpuTime returns how long a domain has run, by Xen's own accounting.
func cpuTime(h *xenctl.Handle, domid uint16) (time.Duration, error) {
	info, err := h.DomainInfo(domid)
	return info.CPUTime, err
}
