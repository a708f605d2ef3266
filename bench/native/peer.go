// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// The ports of the peer's two servers: one blocks at once when it is idle, the
// other polls for linger before.
const (
	portBlock = 1
	portSpin  = 2
)

const linger = 2 * time.Millisecond

// The functions that both servers have.
const (
	library      = "vlib"
	functionEcho = "echo"
	functionSink = "sink" // takes any input, and answers with 8 bytes
	functionSum  = "sum"  // the same, but reads the input first
	functionBurn = "burn" // uses burnt of CPU time
)

// Peer is the process on the other core. It serves in dir, and reads commands,
// one a line; it answers each with one line.
func Peer(ctx context.Context, dir string, in io.Reader, out io.Writer) (err error) {
	settle()
	s, err := inherited()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	ended := make(chan error, 2)
	for _, port := range []transport.Port{portBlock, portSpin} {
		l, err := native.Listen(dir, port)
		if err != nil {
			return err
		}
		server := newServer(l)
		if port == portSpin {
			server.Linger = linger
		}
		go func() { ended <- server.Serve(ctx) }()
		defer func() { end(); err = errors.Join(err, <-ended) }()
	}
	others, err := serveOthers(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, others()) }()
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	var input error
	commands := make(chan string)
	go func() {
		defer close(commands)
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			commands <- lines.Text()
		}
		input = errors.Join(lines.Err(), s.leave())
	}()
	for command := range commands {
		answer := "done"
		switch {
		case strings.HasPrefix(command, "lines "):
			s.lines(int(command[len(command)-1] - '0')).answer()
		case command == "eventfd":
			if err := s.eventAnswer(); err != nil {
				return err
			}
		case command == "mallocs":
			answer = fmt.Sprint(mallocs())
		default:
			return fmt.Errorf("unknown command %q", command)
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return input
}

func newServer(l transport.Listener) *vlibcall.Server {
	s := vlibcall.NewServer(l)
	s.Handle(library, functionEcho, func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	var short [8]byte
	s.Handle(library, functionSink, func(c *vlibcall.Call) error { return c.Reply(short[:]) })
	s.Handle(library, functionBurn, func(*vlibcall.Call) error { burn(burnt); return nil })
	var sum byte
	s.Handle(library, functionSum, func(c *vlibcall.Call) error {
		// Reading one byte of each cache line transfers all of them.
		in := c.Input()
		for i := 0; i < len(in); i += 64 {
			sum += in[i]
		}
		short[0] = sum
		return c.Reply(short[:])
	})
	return s
}

// mallocs returns how many objects this process has allocated.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
