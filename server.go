// SPDX-License-Identifier: Apache-2.0

package vlibos

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
)

// ServerOptions say where a server listens. The zero value is a sensible default.
type ServerOptions struct {
	// Name is that of the native domain; default the machine's host name. It means
	// nothing in a Xen guest, whose name the toolstack gives. It is the name of a
	// directory, so it has no slash.
	Name string
	// Port that clients name; default 1 (vlibcall.DefaultPort).
	Port transport.Port
	// NativeDir has the native domains; default $VLIBOS_NATIVE_DIR, or
	// /run/vlibos/native.
	NativeDir string
	// Native means a native domain even in a Xen guest.
	Native bool
}

// Server serves functions to callers in Dom0, one call at a time unless its field AtOnce
// says otherwise; Order is the order of its clients. It makes the guest
// that its program runs in a vLib OS. Register functions with [Server.HandleFunc],
// then call Serve(ctx), which serves until ctx is done (nil) or the transport fails.
// Handle of the embedded server registers a function that works in the channel's
// memory, without copies.
type Server struct{ *vlibcall.Server }

// NewServer announces a server: in a Xen guest (as root, with the kernel modules
// xen-evtchn and xen-gntalloc) in xenstore, elsewhere by a socket of a native domain.
// Serve closes it when it returns; Close closes a server that never served.
func NewServer(ctx context.Context, o ServerOptions) (*Server, error) {
	l, err := o.listen(ctx)
	if err != nil {
		return nil, err
	}
	return &Server{vlibcall.NewServer(l)}, nil
}

func (o ServerOptions) listen(ctx context.Context) (transport.Listener, error) {
	port := cmp.Or(o.Port, vlibcall.DefaultPort)
	if !o.Native && xen.Available() == nil {
		l, err := xen.Listen(ctx, port)
		if err != nil {
			return nil, err
		}
		return l, nil
	}
	name := o.Name
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	if err := native.CheckName(name); err != nil {
		return nil, fmt.Errorf("name of the server: %w", err)
	}
	dir := cmp.Or(o.NativeDir, os.Getenv("VLIBOS_NATIVE_DIR"), native.DefaultRoot)
	l, err := native.Listen(filepath.Join(dir, name), port)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// HandleFunc registers a function. f gets a copy of the caller's input, and a
// context that ends when the caller gives up, its time is over, or it is gone. Its
// error, if it is none of package vlibcall's, is vlibcall.ErrFailed to the caller,
// with its text. Safe while serving.
func (s *Server) HandleFunc(library, function string, f func(ctx context.Context, input []byte) (output []byte, err error)) {
	s.Handle(library, function, func(c *vlibcall.Call) error {
		output, err := f(c.Context(context.Background()), bytes.Clone(c.Input()))
		if err != nil {
			return err
		}
		return c.Reply(output)
	})
}
