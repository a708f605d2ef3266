// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
)

// Guest is a channel to a DomU's server. The caller closes it.
type Guest struct {
	Domain uint16
	dom    *xen.Domain
	*vlibcall.Channel
}

// port is the one that the server listens on.
const port = 1

// channelSize leaves room for what a command prints.
const channelSize = 16 * transport.HeaderSize

// Open opens a channel to the server in a domain.
func Open(ctx context.Context, domid uint16, o vlibcall.Options) (*Guest, error) {
	d, err := xen.Open(ctx, domid)
	if err != nil {
		return nil, err
	}
	o.Size = channelSize
	ch, err := vlibcall.Open(ctx, d, o)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &Guest{domid, d, ch}, nil
}

// Close closes it.
func (g *Guest) Close() error { return errors.Join(g.Channel.Close(), g.dom.Close()) }

// Command is a command that runs in a guest.
type Command struct{ pending *vlibcall.Pending }

// Start starts a command by one call, which lasts as long as it; the end of ctx
// ends both.
func (g *Guest) Start(ctx context.Context, argv ...string) (Command, error) {
	input, err := (&builtin.Command{Argv: argv}).Append(nil)
	if err != nil {
		return Command{}, err
	}
	return Command{g.Go(ctx, builtin.Library, builtin.Run, input, nil)}, nil
}

// Done is closed when the call has ended.
func (c Command) Done() <-chan struct{} { return c.pending.Done() }

// Output waits for the end, and returns what was printed.
func (c Command) Output() ([]byte, error) {
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

// Run runs a command and returns what it printed.
func (g *Guest) Run(ctx context.Context, argv ...string) ([]byte, error) {
	c, err := g.Start(ctx, argv...)
	if err != nil {
		return nil, err
	}
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%v in domain %d: %w", argv, g.Domain, err)
	}
	return out, nil
}
