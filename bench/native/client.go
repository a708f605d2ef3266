// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// Operations between two readings of the clock.
const (
	spinBatch  = 64
	blockBatch = 16
	copyBatch  = 4
	countBatch = 256
)

// leastBatches are measured even after the slot: on a busy machine, the two
// processes are seldom on their cores at the same time.
const leastBatches = 5

// client is the measuring process, with its peer.
type client struct {
	shared  *shared
	dir     string
	slot    time.Duration
	command *exec.Cmd
	to      io.WriteCloser
	from    *bufio.Reader
}

// newClient starts the peer on a core.
func newClient(dir string, cpu int, slot time.Duration, self Command, peerArgs ...string) (_ *client, err error) {
	c := &client{dir: dir, slot: slot, command: self(append(peerArgs, dir)...)}
	if c.shared, err = newShared(); err != nil {
		return nil, err
	}
	c.command.ExtraFiles = c.shared.files()
	if c.to, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.from = bufio.NewReader(out)
	if err := bench.StartOn(c.command, cpu); err != nil {
		return nil, fmt.Errorf("start the peer: %w", err)
	}
	if _, err := c.hear(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// close ends the peer by closing its standard input.
func (c *client) close() error {
	c.to.Close()
	return c.command.Wait()
}

func (c *client) tell(command string) error {
	time.Sleep(quiet)
	_, err := io.WriteString(c.to, command+"\n")
	return err
}

func (c *client) hear() (string, error) {
	line, err := c.from.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the peer is gone: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// batches runs f in batches of n for the time of a slot. It returns the time for
// one operation of the median batch, in nanoseconds, so that interruptions by
// other processes do not count. The first tenth of the time warms up.
func (c *client) batches(n int, f func(n int) error) (float64, error) {
	var times []float64
	begin := time.Now()
	for begun := begin; begun.Sub(begin) < c.slot || len(times) < leastBatches; {
		if err := f(n); err != nil {
			return 0, err
		}
		now := time.Now()
		if begun.Sub(begin) > c.slot/10 {
			times = append(times, float64(now.Sub(begun).Nanoseconds())/float64(n))
		}
		begun = now
	}
	return bench.Quantile(times, 0.5), nil
}

// open opens a small channel, unless o has another size.
func (c *client) open(ctx context.Context, port transport.Port, o vlibcall.Options) (*vlibcall.Channel, error) {
	o.Port, o.Size = port, cmp.Or(o.Size, smallChannel)
	return vlibcall.Open(ctx, native.Domain(c.dir), o)
}

// peerMallocs asks the peer how many objects it has allocated.
func (c *client) peerMallocs() (uint64, error) {
	if err := c.tell("mallocs"); err != nil {
		return 0, err
	}
	text, err := c.hear()
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(text, 10, 64)
}

// workDir makes a folder for sockets. Its path is short: a socket's path has at
// most 107 bytes.
func workDir() (string, error) { return os.MkdirTemp("", "vlibbench-") }
