// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/control"
	"github.com/vlibos/vlibos/dom0/host"
)

func psCommand() *cli.Command {
	return &cli.Command{
		Name:  "ps",
		Usage: "show who runs on which reservation, and what was used",
		Description: `Domains run on a reservation by adoption, threads of this system by
'vlibmaster run' and the like, which also pay for those they call; rules with
a budget pay for the calls that they allow (CLASS calls, NAME the rule).
The CLASS of a domain says whether the throttle takes its background time.
Times are since the reservation was made: FOREGROUND on its budget, BACKGROUND
beyond it, on time that nobody else had reserved, THROTTLED when it wanted that
time and was not let. LEFT is what is left of the budget now.

The throttle's line, where one runs: where the latency of memory comes from, what
decides, the latency, and whether background time is given away.

CALLED are the vLib OSes that users other than root may call by this daemon:
open channels, calls that wait for their turn, calls that a rule allowed, those
of them that failed, and calls that no rule allows. A wedged one has not come back from a call that was given up.

A domain that is absent stands in the configuration, and there has been none of
that name, number or UUID. One "without it" runs, but not on its reservation: the
reason follows, and it is tried again twice a second.`,
		Flags:  []cli.Flag{jsonFlag(""), runDirFlag()},
		Action: psAction,
	}
}

func psAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	m := toMaster(c)
	defer m.Close()
	host, err := m.Domains(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, host)
	}
	return printHost(c.App.Writer, host)
}

func printHost(w io.Writer, h control.Host) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CLASS\tDOMAIN\tNAME\tBUDGET\tPERIOD\tLEFT\tFOREGROUND\tBACKGROUND\tTHROTTLED\tUUID")
	row := func(class, who, name string, budget, period time.Duration, u host.Usage, what string) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%v\t%v\t%v\t%v\t%v\t%v\t%s\n", class, who, oneLine(name), budget, period,
			short(u.Left), short(u.Foreground), short(u.Background), short(u.Throttled), what)
	}
	for _, s := range h.Adopted {
		domain := where(s.Domain, "without it", s.Problem)
		if s.Absent {
			domain = fmt.Sprintf("(absent: %s)", oneLine(s.Problem))
		}
		row(string(s.Class), domain, s.Name, s.Budget, s.Period, s.Usage, s.UUID)
	}
	for _, s := range h.Threads {
		calls := fmt.Sprintf("reservation %d", s.Reservation)
		if len(s.Calls) > 0 {
			calls += ", calls " + oneLine(strings.Join(s.Calls, ", "))
		}
		row("threads", where(s.Members.String(), "without it", s.Problem), s.Name, s.Budget, s.Period, s.Usage, calls)
	}
	for _, s := range h.Paid {
		row("calls", where(s.Domain, "unpaid", s.Problem), s.Key, s.Budget, s.Period, s.Usage, s.UUID)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range h.Notes {
		if _, err := fmt.Fprintf(w, "\nnote: %s\n", oneLine(n)); err != nil {
			return err
		}
	}
	if h.Throttle != nil {
		if _, err := fmt.Fprintf(w, "\nthrottle: %s\n", oneLine(h.Throttle.String())); err != nil {
			return err
		}
	}
	return printCalled(w, h)
}

// where names who runs on a reservation, and what the problem with it is.
func where(who, state, problem string) string {
	switch {
	case who == "":
		return "(stopped)"
	case problem != "":
		return fmt.Sprintf("%s (%s: %s)", who, state, oneLine(problem))
	}
	return who
}

// printCalled is the table of what unprivileged tools may call, and the line of
// what hangs.
func printCalled(w io.Writer, h control.Host) error {
	if len(h.Called) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "\nCALLED\tPORT\tCLIENTS\tWAITING\tCALLS\tFAILED\tREFUSED")
		for _, s := range h.Called {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", oneLine(s.Domain), s.Port, s.Clients, s.Waiting, s.Calls, s.Failed, s.Refused)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, d := range h.Wedged {
		if _, err := fmt.Fprintf(w, "\nwedged: %s, for %v, restarted %d times\n", oneLine(d.Domain), d.For.Round(time.Second), d.Restarts); err != nil {
			return err
		}
	}
	return nil
}

// short is a time to three figures or so.
func short(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(10 * time.Nanosecond)
}
