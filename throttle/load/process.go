// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// Options of a load.
type Options struct {
	CPU      int           // that it runs on
	Buffer   int           // bytes
	Pause    time.Duration // of a victim, after an equal time of work
	Requests string        // file that counts the requests; empty: none
	// Gate is read before the load begins, and ends the load when it ends. The
	// program that started the load writes to it, and has time to place the
	// load. Each byte is the share of the time in which a batch load runs, in
	// per cent.
	Gate io.Reader
}

// Request is the number of lines that one request of the victim reads.
const Request = 1024

// control is what the gate asks for.
type control struct {
	percent atomic.Int32
	ended   atomic.Bool
}

func (c *control) duty() float64 { return float64(c.percent.Load()) / 100 }

// begin pins the calling goroutine's thread and waits for the gate. The writer
// is nil if no file is wanted.
func (o Options) begin() (c *control, t *requestlatency.Writer, err error) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(o.CPU)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return nil, nil, fmt.Errorf("load on CPU %d: %w", o.CPU, err)
	}
	var b [1]byte
	if _, err := io.ReadFull(o.Gate, b[:]); err != nil {
		return nil, nil, fmt.Errorf("load: the gate was not opened: %w", err)
	}
	if o.Requests != "" {
		if t, err = requestlatency.Create(o.Requests); err != nil {
			return nil, nil, err
		}
	}
	c = new(control)
	c.percent.Store(int32(b[0]))
	go func() {
		for {
			var b [1]byte
			if _, err := io.ReadFull(o.Gate, b[:]); err != nil {
				c.ended.Store(true) // in any case
				return
			}
			c.percent.Store(int32(b[0]))
		}
	}()
	return c, t, nil
}

// Batch writes lines and counts them, until the gate ends.
func Batch(o Options) (err error) {
	s, err := NewStream(o.Buffer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Free()) }()
	c, t, err := o.begin()
	if err != nil {
		return err
	}
	last := time.Now()
	each := func(lines int) {
		now := time.Now()
		t.Add(lines, now.Sub(last))
		last = now
	}
	if t == nil {
		s.Run(c.duty, c.ended.Load, func(int) {})
		return nil
	}
	s.Run(c.duty, c.ended.Load, each)
	return t.Close()
}

// Victim reads lines one after the other in random order, and counts each
// request and its time, until the gate ends. Its thread has the best nice value
// that it is allowed.
func Victim(o Options) (err error) {
	r, err := NewRing(o.Buffer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Free()) }()
	if o.Requests == "" {
		return errors.New("load: a victim needs a file in which its requests are counted")
	}
	c, t, err := o.begin()
	if err != nil {
		return err
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) // without it, its times include other programs
	var at uint64
	for worked := time.Now(); !c.ended.Load(); {
		begin := time.Now()
		at = r.Follow(at, Request)
		t.Add(1, time.Since(begin))
		if o.Pause > 0 && time.Since(worked) > o.Pause {
			time.Sleep(o.Pause)
			worked = time.Now()
		}
	}
	return t.Close()
}
