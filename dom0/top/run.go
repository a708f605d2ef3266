// SPDX-License-Identifier: Apache-2.0

package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options of the display.
type Options struct {
	Ask     func(context.Context) (Sample, error)
	Every   time.Duration
	In, Out *os.File // a terminal
}

// display is what is on the screen.
type display struct {
	*screen
	look   Look
	before *Sample
	now    *Sample
	failed error
	paused bool
}

// answer is what a master said, or why not.
type answer struct {
	sample   Sample
	err      error
	panicked any
}

// Run shows what the master says until the user ends it (nil), ctx ends, or
// the terminal is gone. Whichever it is, a panic too, the terminal is as it was
// before. That the master does not answer is shown, but the first time, when it
// is the error.
func Run(ctx context.Context, o Options) (err error) {
	first, err := o.Ask(ctx)
	if err != nil {
		return err
	}
	s, err := openScreen(o.In, o.Out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := &display{screen: s, now: &first}

	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	answers := make(chan answer, 1)
	ask := func() {
		asking.Go(func() {
			var a answer
			// The terminal is given back by the goroutine that has it.
			defer func() { a.panicked = recover(); answers <- a }()
			a.sample, a.err = o.Ask(ctx)
		})
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	defer signal.Stop(resized)
	// The first refresh comes soon: shares need two samples.
	next := time.NewTimer(min(o.Every, time.Second))
	defer next.Stop()
	for {
		if err := d.draw(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted: %w", ctx.Err())
		case <-resized:
		case <-next.C:
			ask()
		case a := <-answers:
			if a.panicked != nil {
				panic(a.panicked)
			}
			d.take(a)
			next.Reset(o.Every)
		case key, ok := <-s.keys:
			if !ok || d.press(key) {
				return nil
			}
		}
	}
}

// take shows an answer, but while it is paused.
func (d *display) take(a answer) {
	switch {
	case d.paused:
	case a.err != nil:
		d.failed = a.err
	default:
		d.before, d.now, d.failed = d.now, &a.sample, nil
	}
}

// press reports whether the key ends the display.
func (d *display) press(key byte) bool {
	const controlC = 3
	switch key {
	case 'q', controlC:
		return true
	case 's':
		d.look.Order = d.look.Order.next()
	case 'p':
		d.paused = !d.paused
	case '?':
		d.look.Help = !d.look.Help
	}
	return false
}

func (d *display) draw() error {
	before := d.before
	if before == nil {
		before = d.now
	}
	f := Compare(*before, *d.now)
	d.look.Width, d.look.Height = d.size()
	switch {
	case d.paused:
		d.look.Status = "PAUSED: p goes on"
	case d.failed != nil:
		d.look.Status = d.failed.Error()
	default:
		d.look.Status = "?: help"
	}
	return d.show(f.Lines(d.look))
}
