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

// The two servers of the peer, by port: one that gives the CPU away at once,
// and one that polls on for linger.
const (
	portBlock = 1
	portSpin  = 2
)

const linger = 2 * time.Millisecond

// The functions that both serve.
const (
	library      = "vlib"
	functionEcho = "echo"
	functionSink = "sink" // takes any input, and answers with 8 bytes
	functionSum  = "sum"  // the same, but reads the input first
	functionBurn = "burn" // uses CPU time, of burnt
)

// Peer is the process on the other core. It serves in dir, and obeys the
// commands that come in, one a line, each answered by one line.
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
		// One byte of each cache line brings all of them here.
		in := c.Input()
		for i := 0; i < len(in); i += 64 {
			sum += in[i]
		}
		short[0] = sum
		return c.Reply(short[:])
	})
	return s
}

// mallocs is how many objects this process has allocated.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
