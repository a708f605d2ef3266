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
		Usage: "show what domains use and what calls cost, live",
		Description: `All reservations and domains: per cent of one CPU since the last refresh. FORE is
within the budget, BACK beyond it, THROT background time that the throttle took. A
domain without a reservation has all its time in BACK. STEAL is time for which its vCPUs
were runnable and did not run, GATE whether it may run: 'vlibmaster ps --help' says more.
LEFT is the rest of the budget.

Calls, of all callers together: those of 'vlibmaster call', of 'vlibmaster services',
and of tools that record theirs (package receipt), on this host, by users who may
write to --run-dir. P50 and P99 are of the calls since the last refresh, with an error
of at most 6 %; CALLS and ERRORS are since the master started.

Keys: q ends, s sorts by use, name or delay, p pauses, ? explains.

Without a terminal, and with --batch, each frame is printed as text, with an empty line
between two. --json prints an object for each: time, interval_ns, host, cpus,
reservations, domains, throttle, calls. --rounds ends it after that many.

   vlibmaster top -b -n 1                      what was used in one second`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "batch", Aliases: []string{"b"}, Usage: "print frames instead of showing them on a terminal"},
			&cli.IntFlag{Name: "rounds", Aliases: []string{"n"}, Usage: "print `N` frames and end; 0: without an end"},
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
	rounds := c.Int("rounds")
	if rounds < 0 {
		return usagef("--rounds %d: want 0 or more", rounds)
	}
	m := toMaster(c)
	defer m.Close()
	ask := func(ctx context.Context) (top.Sample, error) { return sampleOf(ctx, m) }
	in, out := terminal(c.App.Reader), terminal(c.App.Writer)
	if c.Bool("json") || c.Bool("batch") || rounds > 0 || in == nil || out == nil {
		return printFrames(c.Context, c.App.Writer, ask, every, rounds, c.Bool("json"))
	}
	return top.Run(c.Context, top.Options{Ask: ask, Every: every, In: in, Out: out})
}

func sampleOf(ctx context.Context, m *client.Client) (top.Sample, error) {
	host, err := m.All(ctx)
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

// printFrames prints frames, the first of the interval that begins now, until ctx ends or
// there were so many rounds.
func printFrames(ctx context.Context, w io.Writer, ask func(context.Context) (top.Sample, error), every time.Duration, rounds int, asJSON bool) error {
	before, err := ask(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for round := 1; ; round++ {
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
		if asJSON {
			f.Sort(top.ByUse)
			err = joinObjects(w, f)
		} else {
			_, err = fmt.Fprint(w, []string{"", "\n"}[min(round-1, 1)], f.Text(top.Look{}))
		}
		if err != nil || round == rounds {
			return err
		}
		before = now
	}
}
