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
	return run(ctx, h, domid, spinSettles, taskProgram, "spin")
}

// run runs a command without an end in a domain, and returns when that has used
// some time.
func run(ctx context.Context, h *xenctl.Handle, domid uint16, enough time.Duration, argv ...string) (stop func() error, err error) {
	return domu.Background(ctx, domid, vlibcall.Options{}, domu.CPUTime(h, domid), uint64(enough), argv...)
}

// cpuTime is what Xen's own accounting says that a domain ran.
func cpuTime(h *xenctl.Handle, domid uint16) (time.Duration, error) {
	info, err := h.DomainInfo(domid)
	return info.CPUTime, err
}
