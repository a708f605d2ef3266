// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"io"
	"net"
	"net/rpc"
	"path/filepath"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/vlibcall"
)

// Other ways to call another process, over unix sockets in the peer's folder.
const (
	socketName = "plain"
	rpcName    = "rpc"
)

// Echo is the service of net/rpc.
type Echo struct{}

// Message is its argument and its result.
type Message struct{ Data [len(message)]byte }

// Echo answers with its argument.
func (Echo) Echo(in *Message, out *Message) error {
	*out = *in
	return nil
}

// serveOthers serves one connection of each kind at a time until close, which
// is called after the client has left.
func serveOthers(dir string) (close func() error, err error) {
	server := rpc.NewServer()
	if err := server.Register(Echo{}); err != nil {
		return nil, err
	}
	plain, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		return nil, err
	}
	called, err := net.Listen("unix", filepath.Join(dir, rpcName))
	if err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	done := make(chan struct{}, 2)
	go func() { accept(plain, echo); done <- struct{}{} }()
	go func() { accept(called, func(c net.Conn) { server.ServeConn(c) }); done <- struct{}{} }()
	return func() error {
		err := errors.Join(plain.Close(), called.Close())
		<-done
		<-done
		return err
	}, nil
}

// accept serves connections until the listener is closed, which happens after
// the client has left.
func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		serve(c)
		c.Close()
	}
}

func echo(c net.Conn) {
	var m [len(message)]byte
	for {
		if _, err := io.ReadFull(c, m[:]); err != nil {
			return
		}
		if _, err := c.Write(m[:]); err != nil {
			return
		}
	}
}

// others compares a blocking call with the other ways.
func (c *client) others(ctx context.Context, o Options) ([]bench.Record, error) {
	ch, err := c.open(ctx, portBlock, vlibcall.Options{Wait: vlibcall.Block})
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	plain, err := net.Dial("unix", filepath.Join(c.dir, socketName))
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	called, err := rpc.Dial("unix", filepath.Join(c.dir, rpcName))
	if err != nil {
		return nil, err
	}
	defer called.Close()
	in, out := Message{Data: message}, Message{}
	s, err := bench.Interleave(ctx, o.Repeats, []bench.Part{
		{Name: "call_ns", Measure: c.calls(blockBatch, message[:], func(message, dst []byte) ([]byte, error) {
			return ch.Call(context.Background(), library, functionEcho, message, dst)
		})},
		{Name: "socket_ns", Measure: c.calls(blockBatch, message[:], func(message, dst []byte) ([]byte, error) {
			if _, err := plain.Write(message); err != nil {
				return nil, err
			}
			dst = dst[:len(message)]
			_, err := io.ReadFull(plain, dst)
			return dst, err
		})},
		{Name: "rpc_ns", Measure: c.calls(blockBatch, message[:], func(_, _ []byte) ([]byte, error) {
			err := called.Call("Echo.Echo", &in, &out)
			return out.Data[:], err
		})},
	})
	if err != nil {
		return nil, err
	}
	names := []string{"call_ns", "socket_ns", "rpc_ns"}
	return []bench.Record{
		ratio("call.native.socket", s, "call_ns", "socket_ns", nil, names...),
		ratio("call.native.rpc", s, "call_ns", "rpc_ns", nil, names...),
	}, nil
}
