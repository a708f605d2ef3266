// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sharedSize is a page for the words below and room for the memcpy, in bytes.
const sharedSize = 4096 + payloadSize

// Offsets of the words of the ping-pong. Lines are 128 bytes apart, because
// the adjacent-line prefetcher fetches pairs.
const (
	pingOffset = 0
	pongOffset = 128
)

// stop is the value of the ping word that ends the peer's loop.
const stop = ^uint64(0)

func (s *shared) word(offset int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&s.memory[offset]))
}

// lines is a ping-pong over cache lines: two lines, one for each direction, or
// one line for both. The loops contain nothing else: no PAUSE and no clock.
type lines struct{ ping, pong *atomic.Uint64 }

func (s *shared) lines(n int) lines {
	if n == 1 {
		return lines{s.word(pingOffset), s.word(pingOffset)}
	}
	return lines{s.word(pingOffset), s.word(pongOffset)}
}

// rounds makes n round trips. seq continues from call to call.
func (l lines) rounds(n int, seq *uint64) {
	for range n {
		*seq += 2
		l.ping.Store(*seq - 1)
		for l.pong.Load() != *seq {
		}
	}
}

func (l lines) answer() {
	for seq := uint64(1); ; seq += 2 {
		for {
			v := l.ping.Load()
			if v == seq {
				break
			}
			if v == stop {
				return
			}
		}
		l.pong.Store(seq + 1)
	}
}

// eventRounds makes n round trips of blocking reads and writes of two eventfds.
// The Go scheduler is not told of them.
func (s *shared) eventRounds(n int) error {
	for range n {
		if err := add(s.toPeer); err != nil {
			return err
		}
		if err := take(s.toClient); err != nil {
			return err
		}
	}
	return nil
}

// leave ends the peer's loop, if it is in one.
func (s *shared) leave() error {
	s.word(pingOffset).Store(stop)
	return add(s.toPeer)
}

func (s *shared) eventAnswer() error {
	for {
		if err := take(s.toPeer); err != nil {
			return err
		}
		if s.word(pingOffset).Load() == stop {
			return nil
		}
		if err := add(s.toClient); err != nil {
			return err
		}
	}
}

func add(fd int) error {
	one := uint64(1)
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
	return syscallError("write eventfd", errno)
}

func take(fd int) error {
	var n uint64
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&n)), 8)
		if errno != unix.EINTR {
			return syscallError("read eventfd", errno)
		}
	}
}

func syscallError(name string, errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return os.NewSyscallError(name, errno)
}

// rawLines measures a round trip over n cache lines, in nanoseconds.
func (c *client) rawLines(n int) func(context.Context) (float64, error) {
	return func(context.Context) (float64, error) {
		var seq uint64
		l := c.shared.lines(n)
		return c.against(fmt.Sprintf("lines %d", n), func() (float64, error) {
			return c.batches(spinBatch, func(n int) error {
				l.rounds(n, &seq)
				return nil
			})
		}, func() error {
			c.shared.word(pingOffset).Store(stop)
			return nil
		})
	}
}

// rawEvents measures a round trip over two eventfds, in nanoseconds.
func (c *client) rawEvents(context.Context) (float64, error) {
	return c.against("eventfd", func() (float64, error) {
		return c.batches(blockBatch, c.shared.eventRounds)
	}, c.shared.leave)
}

// against measures while the peer runs the named loop, which end ends.
func (c *client) against(loop string, measure func() (float64, error), end func() error) (float64, error) {
	c.shared.word(pingOffset).Store(0)
	c.shared.word(pongOffset).Store(0)
	if err := c.tell(loop); err != nil {
		return 0, err
	}
	v, err := measure()
	if err == nil {
		err = end()
	}
	if err == nil {
		_, err = c.hear()
	}
	return v, err
}

// quiet is how long the server may still poll after a call. The raw loops need
// the peer's core for themselves.
const quiet = 4 * linger

// memcpy measures a copy of one payload, in nanoseconds.
func memcpy(dst, src []byte, c *client) func(context.Context) (float64, error) {
	return func(context.Context) (float64, error) {
		time.Sleep(quiet)
		return c.batches(copyBatch, func(n int) error {
			for range n {
				copy(dst, src)
			}
			return nil
		})
	}
}
