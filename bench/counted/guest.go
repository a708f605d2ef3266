// SPDX-License-Identifier: Apache-2.0

package counted

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/builtin"
	"github.com/vlibos/vlibos/transport/xen"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
)

// guest is a channel to a DomU's server.
type guest struct {
	domid uint16
	dom   *xen.Domain
	*vlibcall.Channel
}

// channelSize leaves room for what a command prints.
const channelSize = 16 * vlibcall.HeaderSize

func openGuest(ctx context.Context, domid uint16, o vlibcall.Options) (*guest, error) {
	d, err := xen.Open(ctx, domid)
	if err != nil {
		return nil, err
	}
	ch, err := vlibcall.Open(ctx, d, port, channelSize, o)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &guest{domid, d, ch}, nil
}

func (g *guest) Close() error { return errors.Join(g.Channel.Close(), g.dom.Close()) }

// echo returns a call with 64 bytes each way.
func (g *guest) echo() func() error {
	var message [64]byte
	dst := make([]byte, 0, len(message))
	// A context that can end costs an allocation a call.
	background := context.Background()
	return func() error {
		_, err := g.Call(background, builtin.Library, builtin.Echo, message[:], dst)
		return err
	}
}

// command is a command that runs in a guest.
type command struct{ pending *vlibcall.Pending }

func (g *guest) start(ctx context.Context, argv ...string) (command, error) {
	input, err := (&builtin.Command{Argv: argv}).Append(nil)
	if err != nil {
		return command{}, err
	}
	return command{g.Go(ctx, builtin.Library, builtin.Run, input, nil)}, nil
}

// output waits for the end, and returns what was printed.
func (c command) output() ([]byte, error) {
	<-c.pending.Done()
	data, err := c.pending.Result()
	if err != nil {
		return nil, err
	}
	var o builtin.Outcome
	if err := o.Decode(data); err != nil {
		return nil, err
	}
	if status := o.ShellStatus(); status != 0 || o.StdoutTruncated {
		return nil, fmt.Errorf("ended with exit status %d and %d bytes: %.500s", status, len(o.Stdout), o.Stderr)
	}
	return o.Stdout, nil
}

func (g *guest) run(ctx context.Context, argv ...string) ([]byte, error) {
	c, err := g.start(ctx, argv...)
	if err != nil {
		return nil, err
	}
	out, err := c.output()
	if err != nil {
		return nil, fmt.Errorf("%v in domain %d: %w", argv, g.domid, err)
	}
	return out, nil
}

// spinSettles is how much time a domain has used when it surely spins.
const spinSettles = 100 * time.Millisecond

// spin keeps a domain's CPU busy until stop.
func spin(ctx context.Context, h *xenctl.Handle, domid uint16) (stop func() error, err error) {
	g, err := openGuest(ctx, domid, vlibcall.Options{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c, err := g.start(ctx, taskProgram, "spin")
	stop = func() error {
		cancel()
		<-c.pending.Done()
		return g.Close()
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	from, err := cpuTime(h, domid)
	for used := time.Duration(0); err == nil && used < spinSettles; {
		select {
		case <-c.pending.Done():
			_, err = c.output()
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
