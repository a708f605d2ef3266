// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/top"
	"github.com/vlibos/vlibos/internal/cliflag"
)

func topCommand() *cli.Command {
	return &cli.Command{
		Name:  "top",
		Usage: "show the use of reservations and the cost of calls, live",
		Description: `Reservations: per cent of one CPU since the last refresh. FORE is within the budget,
BACK beyond it, and THROTTLED is background time that the throttle took. LEFT is the
rest of the budget.

Calls, of all callers together: those of 'vlibmaster call', of 'vlibmaster services',
and of tools that record theirs (package receipt), on this host, by users who may
write to --run-dir. P50 and P99 are of the calls since the last refresh, with an error
of at most 6 %; CALLS and ERRORS are since the master started.

Keys: q ends, s sorts by use, name or delay, p pauses, ? explains.

Without a terminal, or with --once, one frame is printed as text. --json prints an
object for each refresh: time, interval_ns, host, cpus, reservations, calls.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "once", Usage: "print one frame and end"},
			&cliflag.Duration{Name: "interval", Value: time.Second, Usage: "`TIME` between refreshes"},
			jsonFlag(""), runDirFlag(),
		},
		Action: topAction,
	}
}

// shortestRefresh bounds the load: each refresh asks the host about every reservation.
const shortestRefresh = 100 * time.Millisecond

func topAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	every := c.Duration("interval")
	if every < shortestRefresh {
		return usagef("--interval %v: want at least %v", every, shortestRefresh)
	}
	m := toMaster(c)
	defer m.Close()
	ask := func(ctx context.Context) (top.Sample, error) { return sampleOf(ctx, m) }
	in, out := terminal(c.App.Reader), terminal(c.App.Writer)
	if c.Bool("json") || c.Bool("once") || in == nil || out == nil {
		// Frames of text without an end are of no use in a file; objects are.
		endless := c.Bool("json") && !c.Bool("once")
		return printFrames(c.Context, c.App.Writer, ask, every, c.Bool("json"), endless)
	}
	return top.Run(c.Context, top.Options{Ask: ask, Every: every, In: in, Out: out})
}

func sampleOf(ctx context.Context, m *client.Client) (top.Sample, error) {
	host, err := m.Host(ctx)
	if err != nil {
		return top.Sample{}, err
	}
	s := top.Sample{At: time.Now(), Host: host}
	s.Calls, err = m.Calls(ctx)
	return s, err
}

// terminal returns the stream, or nil if it is no terminal.
func terminal(stream any) *os.File {
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// printFrames prints one frame, of the interval that begins now, or if endless frames
// until ctx ends.
func printFrames(ctx context.Context, w io.Writer, ask func(context.Context) (top.Sample, error), every time.Duration, asJSON, endless bool) error {
	before, err := ask(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted: %w", ctx.Err())
		case <-tick.C:
		}
		now, err := ask(ctx)
		if err != nil {
			return err
		}
		f := top.Compare(before, now)
		if err := printFrame(w, &f, asJSON); err != nil || !endless {
			return err
		}
		before = now
	}
}

func printFrame(w io.Writer, f *top.Frame, asJSON bool) error {
	if asJSON {
		f.Sort(top.ByUse)
		return joinObjects(w, f)
	}
	_, err := io.WriteString(w, f.Text(top.Look{}))
	return err
}
