// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

func describeCommand() *cli.Command {
	return &cli.Command{
		Name:      "describe",
		Usage:     "show all that is known of one domain",
		ArgsUsage: "DOMAIN",
		Description: `Its identity and what it used; its reservation, and those that pay for calls to it; the
arithmetic of admission on its CPUs: what was asked, after which time at worst it is
had, what stands against it, and the largest budget that would fit; what calls to it
cost; its throttle, gate and cache class; what the host has set for it; and the last
problems since the master started, 16 at most. A domain that does not run is described
if it has a reservation.

Times and columns are those of 'vlibmaster ps --all'. Of reservations with a shorter or
an equal period each may go first: these stand against it. One with a longer period does
not, but must still have its budget in time.`,
		Flags:  []cli.Flag{jsonFlag(""), runDirFlag()},
		Action: describeAction,
	}
}

func describeAction(c *cli.Context) error {
	ref, err := oneDomain(c)
	if err != nil {
		return err
	}
	m := toMaster(c)
	defer m.Close()
	d, err := m.Describe(c.Context, ref)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, d)
	}
	p := page{}
	p.domain(d)
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, p.String())
	return t.Flush()
}

// page is a description as text. A line is a name and what it is, after a tab.
type page struct{ strings.Builder }

func (p *page) line(name, format string, args ...any) {
	fmt.Fprintf(p, "%s\t%s\n", oneLine(name), oneLine(fmt.Sprintf(format, args...)))
}

// list is a line of several, of which the first has the name.
func (p *page) list(name string, n int, item func(i int) string) {
	for i := range n {
		p.line(name, "%s", item(i))
		name = ""
	}
}

func (p *page) domain(d api.Description) {
	if d.ID == "" {
		p.line("domain", "it does not run")
	} else {
		p.line("domain", "%s", d.ID)
	}
	p.line("name", "%s", cmp.Or(d.Name, "-"))
	p.line("UUID", "%s", cmp.Or(d.UUID, "-"))
	if d.Control {
		p.line("control", "it controls the host: never adopted, gated or throttled")
	}
	if d.Problem != "" {
		p.line("problem", "not all is known: %s", d.Problem)
	}
	if d.ID != "" {
		p.line("may run on", "CPUs %s", cpulist.Format(d.CPUs))
		p.line("used", "%v of CPU time; steal %s, throttled %s", short(d.CPU), known(d.Steal, d.ID), known(d.Work.Throttled, d.ID))
		p.line("gate", "%s", cmp.Or(d.Gate, "none"))
	}
	p.list("served by", len(d.Helpers), func(i int) string {
		h := d.Helpers[i]
		if h.Ended {
			return fmt.Sprintf("device model: process %d has ended", h.PID)
		}
		if h.Model {
			return fmt.Sprintf("device model: process %d, %s, %v of CPU time", h.PID, h.Name, short(h.CPU))
		}
		return fmt.Sprintf("back end: thread %d of the kernel, %s, %v of CPU time", h.PID, h.Name, short(h.CPU))
	})
	p.line("cache class", "%s", cmp.Or(d.CacheClass, "none"))
	if u := d.Cache; u != nil && u.Problem != "" {
		p.line("cache use", "not known: %s", oneLine(u.Problem))
	} else if u != nil {
		p.line("cache use", "fills %s of the third-level caches, moves %s a second between them and memory", u.Filled(), u.PerSecond())
	}
	p.throttle(d)
	for _, r := range d.Reservations {
		p.reservation(d, r)
	}
	if d.Reservation == 0 && !d.Control {
		p.line("reservation", "none: it runs on what others leave")
	}
	for _, a := range d.Admission {
		p.admission(a)
	}
	p.list("open to users", len(d.Called), func(i int) string {
		t := d.Called[i]
		return fmt.Sprintf("port %d: %d channels, %d calls wait, %d done, %d failed, %d refused", t.Port, t.Clients, t.Waiting, t.Done, t.Failed, t.Refused)
	})
	p.list("watched", len(d.Watched), func(i int) string {
		w := d.Watched[i]
		if !w.Wedged {
			return fmt.Sprintf("it comes back from calls; restarted %d times", w.Restarts)
		}
		return fmt.Sprintf("wedged for %v; restarted %d times", w.For.Round(time.Second), w.Restarts)
	})
	p.calls(d.Calls)
	for _, f := range d.Facts {
		p.line(f.Name, "%s", f.Value)
	}
	if len(d.Problems) == 0 {
		p.line("last problems", "none since the master started")
	}
	p.list("last problems", len(d.Problems), func(i int) string {
		b := d.Problems[len(d.Problems)-1-i]
		return b.At.Format(time.DateTime) + "  " + b.Text
	})
}

func (p *page) reservation(d api.Description, r api.Status) {
	if idle := r.Idle(); idle != nil {
		p.line("unplugged", "vCPUs %v: %d of %d servers have none; their budgets stay promised for when they are plugged in", r.Domain.Unplugged, len(idle), r.Number())
	}
	if r.DeviceModel {
		p.line("on it, too", "%s", beside(r))
	}
	state := fmt.Sprintf("used %v in foreground, %v in background, throttled %v; left %v, the next refill in %v",
		short(r.Foreground), short(r.Background), short(r.Throttled), short(r.Left), short(r.Next))
	switch {
	case r.Problem != "":
		state = "not in force: " + r.Problem
	case !r.Running():
		state = "waits for the domain"
	}
	by := map[api.Origin]string{api.FromFile: "by the configuration", api.FromCommand: "by a command", api.FromXAPI: "by XAPI"}[r.Origin]
	what := fmt.Sprintf("class %s", cmp.Or(r.Class, host.Batch))
	if r.ID != d.Reservation {
		what = "pays for calls to it: " + cmp.Or(r.Name, r.On())
	}
	p.line(fmt.Sprint("reservation ", r.ID), "%s in every %v, %.1f %% of a CPU, %s, %s", r.Servings(), r.Period, 100*float64(r.Whole().Budget)/float64(r.Period), what, by)
	p.line("", "%s", state)
}

// beside names what is on a domain's reservation beside the domain.
func beside(r api.Status) string {
	if r.Unserved() {
		return "its device model, but there is none now"
	}
	var names []string
	for _, h := range r.Beside {
		names = append(names, fmt.Sprintf("%s (%d)", h.Name, h.PID))
	}
	return strings.Join(names, ", ")
}

func (p *page) admission(a api.Admission) {
	name := "admission"
	p.line(name, "on each of the CPUs %s, a budget may end %v late", cpulist.Format(a.CPUs), a.Late)
	switch {
	case a.Asked.Budget == 0:
		p.line("", "nothing is asked; %v in every %v would fit", short(a.Most), a.Asked.Period)
	case a.Refusal == "" && a.Servers > 1:
		p.line("", "asked: %d servers of %v in every %v; each had after %v at worst, %v before the period ends",
			a.Servers, a.Asked.Budget, a.Asked.Period, a.Response, a.Asked.Period-a.Response)
	case a.Refusal != "":
		p.line("", "asked: %v in every %v; refused: %s", a.Asked.Budget, a.Asked.Period, a.Refusal)
	default:
		p.line("", "asked: %v in every %v; had after %v at worst, %v before the period ends; up to %v would fit",
			a.Asked.Budget, a.Asked.Period, a.Response, a.Asked.Period-a.Response, short(a.Most))
	}
	for _, o := range a.Beside {
		how := "stands against it"
		if o.Period > a.Asked.Period {
			how = "has a longer period"
		}
		from := fmt.Sprintf("reservation %d", o.ID)
		if o.ID == 0 {
			from = "control domains"
		} else if o.Name != "" {
			from += " (" + o.Name + ")"
		}
		p.line("", "%s: %v in every %v, %s: %.1f %%", how, o.Budget, o.Period, from, 100*float64(o.Budget)/float64(o.Period))
	}
	if n := a.Others - len(a.Beside); n > 0 {
		p.line("", "and %d more", n)
	}
}

// throttle is the part of the throttle on the CPUs of a domain.
func (p *page) throttle(d api.Description) {
	if d.Throttle == nil {
		p.line("throttle", "none runs")
		return
	}
	spared := d.Control || slices.ContainsFunc(d.Reservations, func(r api.Status) bool { return r.ID == d.Reservation && r.Class == host.Critical })
	if spared {
		p.line("throttle", "spares it")
		return
	}
	var idle []string
	for _, c := range d.Throttle.CPUs {
		if slices.Contains(d.CPUs, c.ID) {
			idle = append(idle, fmt.Sprintf("CPU %d idles %.0f %% of background time", c.ID, 100*c.Idle))
		}
	}
	p.line("throttle", "%s: %s", d.Throttle.State, cmp.Or(strings.Join(idle, ", "), "on none of its CPUs"))
}

// mostCalls is how many functions of a domain are printed; --json has all.
const mostCalls = 20

func (p *page) calls(all []receipt.Account) {
	slices.SortStableFunc(all, func(a, b receipt.Account) int { return cmp.Compare(b.Wall.Count(), a.Wall.Count()) })
	p.list("calls", min(len(all), mostCalls), func(i int) string {
		a := all[i]
		return fmt.Sprintf("%s %s by %s (uid %d): %d calls, p50 %v, p99 %v, %d failed", a.Library, a.Function, a.Comm, a.UID,
			a.Wall.Count(), a.Wall.Quantile(0.5), a.Wall.Quantile(0.99), a.Failed())
	})
	if n := len(all) - mostCalls; n > 0 {
		p.line("", "and %d more functions and callers", n)
	}
}
