// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// joined returns one end of a connection with the other run that joins at a
// configuration's socket, or nil if it names none. The first of the two waits for the
// second, at most until ctx ends. The caller closes the file, which may be nil.
func joined(ctx context.Context, c Config) (*os.File, error) {
	if c.Join == "" {
		return nil, nil
	}
	c.Progress("waiting for the other machine at " + c.Join)
	conn, err := meet(ctx, c.Join)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.File()
}

func meet(ctx context.Context, path string) (*net.UnixConn, error) {
	address := &net.UnixAddr{Name: path, Net: "unix"}
	for {
		conn, err := net.DialUnix("unix", nil, address)
		if err == nil {
			return conn, nil
		}
		if errors.Is(err, unix.ECONNREFUSED) {
			// A program that ended has left it.
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		} else if !errors.Is(err, unix.ENOENT) {
			return nil, err
		}
		l, err := net.ListenUnix("unix", address)
		if errors.Is(err, unix.EADDRINUSE) {
			continue // the other was first
		}
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { l.Close() })
		conn, err = l.AcceptUnix()
		stop()
		l.Close() // also removes the socket
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return conn, err
	}
}
