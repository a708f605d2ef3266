// SPDX-License-Identifier: Apache-2.0

package top

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vlibos/vlibos/internal/clock"
)

// Options of the display.
type Options struct {
	Ask     func(context.Context) (Sample, error)
	Every   time.Duration
	In, Out *os.File // a terminal
}

// display is the state of the screen. Bubbletea calls Init, Update and View one
// at a time, and refresh beside them.
type display struct {
	Options
	ctx         context.Context
	asking      sync.Mutex // refresh has it
	before, now Sample
	failed      error // of the last refresh
	panicked    any   // by the last refresh
	paused      bool
	look        Look
}

// answer is a message: what the master answered to a refresh.
type answer struct {
	sample   Sample
	err      error
	panicked any
}

// Run shows the master's samples until the user presses q or Ctrl-C (nil), ctx
// ends, or the terminal is gone. In each case, and after a panic, the terminal is
// in its state of before. Errors of Ask are shown on the screen; only the first
// call's is returned.
func Run(ctx context.Context, o Options) error {
	first, err := o.Ask(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	d := &display{Options: o, ctx: ctx, before: first, now: first, look: Look{Reverse: true}}
	defer d.asking.Unlock()
	defer d.asking.Lock() // the last refresh has ended
	defer cancel()
	// With SSH_TTY, bubbletea does not ask the terminal for its modes: Linux's own
	// console prints that question.
	var p *tea.Program
	p = tea.NewProgram(d, tea.WithInput(input{o.In, func() { p.Quit() }}), tea.WithOutput(o.Out), tea.WithoutSignalHandler(),
		tea.WithEnvironment(append(os.Environ(), "SSH_TTY=")))
	// With WithContext, bubbletea would not wait for its own goroutines.
	defer context.AfterFunc(ctx, p.Quit)()
	_, err = p.Run()
	switch {
	case d.panicked != nil:
		panic(d.panicked)
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	return err
}

// input calls ended when the terminal is gone; bubbletea would wait for keys.
type input struct {
	*os.File
	ended func()
}

func (i input) Read(b []byte) (int, error) {
	n, err := i.File.Read(b)
	if err != nil {
		i.ended()
	}
	return n, err
}

// Init implements tea.Model. Shares need two samples, so the second follows soon.
func (d *display) Init() tea.Cmd {
	return func() tea.Msg { return d.refresh(min(d.Every, time.Second)) }
}

// refresh asks the master after a pause.
func (d *display) refresh(pause time.Duration) (msg tea.Msg) {
	d.asking.Lock()
	defer d.asking.Unlock()
	defer func() {
		if v := recover(); v != nil {
			msg = answer{panicked: v}
		}
	}()
	if clock.Sleep(d.ctx, pause) != nil {
		return nil
	}
	s, err := d.Ask(d.ctx)
	return answer{sample: s, err: err}
}

// Update implements tea.Model.
func (d *display) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		d.look.Height = msg.Height
	case answer:
		if d.panicked = msg.panicked; d.panicked != nil {
			return d, tea.Quit // the terminal is restored before Run panics
		}
		if d.failed = msg.err; d.failed == nil && !d.paused {
			d.before, d.now = d.now, msg.sample
		}
		return d, func() tea.Msg { return d.refresh(d.Every) }
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "ctrl+c":
			return d, tea.Quit
		case "s":
			d.look.Order = d.look.Order.next()
		case "p":
			d.paused = !d.paused
		case "?":
			d.look.Help = !d.look.Help
		}
	}
	return d, nil
}

// View implements tea.Model.
func (d *display) View() tea.View {
	look := d.look
	look.Status = "?: help"
	if d.failed != nil {
		look.Status = d.failed.Error()
	}
	if d.paused {
		look.Status = "PAUSED: p continues"
	}
	f := Compare(d.before, d.now)
	v := tea.NewView(f.Text(look))
	v.AltScreen = true
	return v
}
