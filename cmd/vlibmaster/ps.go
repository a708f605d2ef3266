// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

func psCommand() *cli.Command {
	return &cli.Command{
		Name:  "ps",
		Usage: "show all reservations and their use; with -a all domains",
		Description: `The holder of a reservation is an adopted domain, threads of this system (of
'vlibmaster run', for example), or nothing: then it pays for the calls that a rule
allows (CLASS calls, and NAME is the rule). Threads also pay for the domains that
they call. The CLASS of a domain says whether the throttle takes its background time.
Times are since the reservation was made: FOREGROUND within its budget, BACKGROUND
beyond it on unreserved time, THROTTLED while the throttle took background time. LEFT
is the rest of the budget now.

The throttle's line: the source of memory latency, the policy, the latency, and
whether CPUs idle in background.

CALLED are the vLib OSes that users other than root may call through this daemon:
open channels, waiting calls, calls that a rule allowed, failed ones of those, and
calls that no rule allows. A wedged vLib OS has not returned from a call that was
abandoned.

With --all there is a row for each domain, also for those of CLASS control and none,
which have no reservation, and seven columns more. CPU is a domain's CPU time since it
was made. STEAL is how long its vCPUs were runnable and did not run, all together, for
whatever reason but a closed gate (on the native host: how long at least one thread
waited, with cgroups of version 2); THROTTLED is a part of it. GATE: while it is closed
no vCPU runs. MODEL is the CPU time of its device model in this system, or "ended",
and BACKENDS that of the kernel's threads that serve its disks and networks, without
what netback sends in interrupts. CACHE is what it fills of the third-level caches,
MEMORY/S what it moved between them and memory in a second, over the last few: see 'vlibmaster cache show'. A dash stands for what there is not, or what this
host does not tell.

A domain is absent if it is configured and no domain has that name, number or UUID. A
domain "without it" runs, but not on its reservation: the reason follows, and the
master tries again twice a second. "without its device model" says that adopt had
--with-device-model, and the domain has none now: the next one is put on it.

A vCPU that is unplugged keeps its budget promised, so that it has it when it is plugged
in again: a reservation says how many of its servers have no vCPU now. To give the
budgets up, adopt the domain with fewer --vcpus.

A reservation with several servers has a BUDGET like "4 x 50ms"; its times are sums.
--servers has a line for each: the CPU of its vCPU, and its times.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "show all domains, reserved or not"},
			&cli.BoolFlag{Name: "servers", Usage: "show each server of a reservation with several"},
			jsonFlag(""), runDirFlag(),
		},
		Action: psAction,
	}
}

func psAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	m := toMaster(c)
	defer m.Close()
	ask := m.Host
	if c.Bool("all") {
		ask = m.All
	}
	host, err := ask(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, host)
	}
	err = printHost(c.App.Writer, host, c.Bool("all"))
	if err == nil && c.Bool("servers") {
		err = printServers(c.App.Writer, host.Reservations)
	}
	return err
}

func printHost(w io.Writer, h api.Host, all bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	more := func(string, ...any) string { return "" }
	if all {
		more = fmt.Sprintf
	}
	fmt.Fprintf(t, "CLASS\tDOMAIN\tNAME\tBUDGET\tPERIOD\tLEFT\tFOREGROUND\tBACKGROUND\tTHROTTLED%s\tUUID\n", more("\tCPU\tSTEAL\tGATE\tMODEL\tBACKENDS\tCACHE\tMEMORY/S"))
	of := make(map[uint32]api.Domain)
	for _, d := range h.Domains {
		of[d.Reservation] = d
	}
	work := func(d api.Domain) string {
		model, backends := helped(d.Helpers)
		return more("\t%s\t%s\t%s\t%s\t%s\t%s\t%s", known(&d.CPU, d.ID), known(d.Steal, d.ID), cmp.Or(d.Gate, "-"), model, backends, d.Cache.Filled(), d.Cache.PerSecond())
	}
	for _, s := range h.Reservations {
		class, detail := string(s.Kind()), s.UUIDs()
		switch s.Kind() {
		case host.KindDomain:
			class = string(s.Class)
		case host.KindThreads:
			detail = fmt.Sprintf("reservation %d", s.ID)
			for i, c := range s.Callees {
				detail += [...]string{", calls ", ", "}[min(i, 1)] + oneLine(c.Name)
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%v\t%v\t%v\t%v\t%v%s\t%s\n", class, where(s), oneLine(s.Name), s.Servings(), s.Period,
			short(s.Left), short(s.Foreground), short(s.Background), short(s.Throttled), work(of[s.ID]), detail)
	}
	for _, d := range h.Domains {
		if d.Reservation != 0 {
			continue
		}
		class, problem := "none", ""
		if d.Control {
			class = "control"
		}
		if d.Problem != "" {
			problem = fmt.Sprintf(" (not all is known: %s)", oneLine(d.Problem))
		}
		fmt.Fprintf(t, "%s\t%s%s\t%s\t-\t-\t-\t-\t-\t%s%s\t%s\n", class, oneLine(d.ID), problem, oneLine(d.Name),
			known(d.Work.Throttled, d.ID), work(d), oneLine(d.UUID))
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

// where names what a reservation is on, and what the problem with that is.
func where(s api.Status) string {
	switch {
	case s.Absent:
		return fmt.Sprintf("(absent: %s)", oneLine(s.Problem))
	case !s.Running():
		return "(stopped)"
	case s.Unserved():
		return s.On() + " (without its device model, which has ended or was not started)"
	case s.Problem == "" && s.Idle() != nil:
		return fmt.Sprintf("%s (%d of %d servers have no vCPU that is plugged in; their budgets stay promised)", s.On(), len(s.Idle()), s.Number())
	case s.Problem == "":
		return s.On()
	case s.Kind() == host.KindNone:
		return fmt.Sprintf("%s (unpaid: %s)", s.On(), oneLine(s.Problem))
	}
	return fmt.Sprintf("%s (without it: %s)", s.On(), oneLine(s.Problem))
}

// printCalled is the table of what unprivileged tools may call, and the line of
// what hangs.
func printCalled(w io.Writer, h api.Host) error {
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

// known is a time of a domain with that ID, or a dash.
func known(d *time.Duration, id string) string {
	if d == nil || id == "" {
		return "-"
	}
	return short(*d).String()
}

// helped is the CPU time of a domain's device model, and of its back ends.
func helped(all []host.Helper) (model, backends string) {
	model, backends = "-", "-"
	var sum time.Duration
	for _, h := range all {
		switch {
		case h.Ended:
			model = "ended"
		case h.Model:
			model = short(h.CPU).String()
		default:
			sum += h.CPU
			backends = short(sum).String()
		}
	}
	return model, backends
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
