// SPDX-License-Identifier: Apache-2.0

package domu

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
)

// Server is a channel to a DomU's server. The caller closes it.
type Server struct {
	Domain uint16
	dom    *xen.Domain
	*vlibcall.Channel
}

// channelSize in bytes has room for a command's output.
const channelSize = 16 * transport.HeaderSize

// Open opens a channel to the server in a domain.
func Open(ctx context.Context, domid uint16, o vlibcall.Options) (*Server, error) {
	d, err := xen.Open(ctx, domid)
	if err != nil {
		return nil, err
	}
	o.Size = channelSize
	ch, err := vlibcall.Open(ctx, d, o)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &Server{domid, d, ch}, nil
}

// Close closes the channel.
func (s *Server) Close() error { return errors.Join(s.Channel.Close(), s.dom.Close()) }

// Command is a command that runs in a guest.
type Command struct{ pending *vlibcall.Pending }

// Start starts a command by one call, which lasts as long as the command. Both
// end when ctx ends.
func (s *Server) Start(ctx context.Context, argv ...string) (Command, error) {
	input, err := (&builtin.Command{Argv: argv}).Append(nil)
	if err != nil {
		return Command{}, err
	}
	return Command{s.Go(ctx, builtin.Library, builtin.Run, input, nil)}, nil
}

// Done is closed when the call has ended.
func (c Command) Done() <-chan struct{} { return c.pending.Done() }

// Output waits for the end of the command and returns its standard output.
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
		return nil, fmt.Errorf("exit status %d after %d bytes of output: %.500s", status, len(o.Stdout), o.Stderr)
	}
	return o.Stdout, nil
}

// Run runs a command and returns its standard output.
func (s *Server) Run(ctx context.Context, argv ...string) ([]byte, error) {
	c, err := s.Start(ctx, argv...)
	if err != nil {
		return nil, err
	}
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%v in domain %d: %w", argv, s.Domain, err)
	}
	return out, nil
}
