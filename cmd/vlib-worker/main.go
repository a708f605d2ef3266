// SPDX-License-Identifier: Apache-2.0

// Command vlib-worker is the process in which vlib-server loads one shared
// library of the guest and calls its functions. It serves one vlibcall channel
// over the socket that it inherits as descriptor 3, and ends when the server
// closes that. Do not start it from the command line.
//
// A library that crashes, exits or hangs affects this process only. A child
// that a library forks cannot answer calls: it has no channel, and ends where
// the function would return.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/domu-server/ffi"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/signature"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// serverSocket is the descriptor that the server passes.
const serverSocket = 3

// A library may have state for each thread, and some need the main thread. main
// stays on it, and makes all calls.
func init() { runtime.LockOSThread() }

func main() {
	if err := run(context.Background(), os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "vlib-worker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[1] == "--man" {
		return page().Write(os.Stdout)
	}
	if len(args) != 2 {
		return errors.New("usage: vlib-worker LIBRARY, by vlib-server, with a socket as descriptor 3")
	}
	if err := signature.CheckLibrary(args[1]); err != nil {
		return err
	}
	if err := ffi.DefaultSignals(); err != nil {
		return err
	}
	// The server learns of a crash when the process has ended. Writing a core
	// dump would delay that, and with it the next call.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switch core dumps off: %w", err)
	}
	// The channel's watcher needs to run while main is in a library.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	conn, err := inherit(serverSocket)
	if err != nil {
		return err
	}
	l, err := native.Accepted(conn)
	if err != nil {
		return err
	}
	s := vlibcall.NewServer(&oneChannel{Listener: l})
	s.SessionIdle = 0
	serve := (&library{name: args[1]}).serve
	s.HandleRest(func(string, string) (vlibcall.Handler, error) { return serve, nil })
	if err := s.Serve(ctx); !errors.Is(err, errServerLeft) {
		return err
	}
	return nil
}

// inherit takes over a socket that the parent left open at exec. Programs that
// the library executes do not inherit it.
func inherit(fd uintptr) (*net.UnixConn, error) {
	f := os.NewFile(fd, "server")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d is not the server's socket (vlib-server starts this program): %w", fd, err)
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("descriptor %d is a %T and not the server's socket", fd, conn)
	}
	return u, nil
}
