// SPDX-License-Identifier: Apache-2.0

package top

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

const ms = time.Millisecond

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func status(id uint32, name, domain string, foreground, background, throttled time.Duration) api.Status {
	d := host.Domain{ID: domain, UUID: "u-" + name, Name: name}
	return api.Status{
		Reservation: api.Reservation{Reservation: d.On(rtsched.Task{ID: id, Budget: 10 * ms, Period: 40 * ms}), Name: name, CPUs: []int{1}},
		Usage:       host.Usage{Foreground: foreground, Background: background, Throttled: throttled, Left: 5 * ms},
	}
}

// wall is a histogram of n calls that took up to ns.
func wall(t *testing.T, ns, n int) (h receipt.Histogram) {
	t.Helper()
	if err := json.Unmarshal(fmt.Appendf(nil, `{"buckets":[[%d,%d]]}`, ns, n), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func account(t *testing.T, uid uint32, function string, ns, n int, failed uint64) receipt.Account {
	return receipt.Account{
		Key:  receipt.Key{Caller: receipt.Caller{UID: uid}, Domain: "u-web", Library: "libz", Function: function},
		Name: "web", Wall: wall(t, ns, n), Errors: map[string]uint64{"failed": failed},
	}
}

// between is a frame of two seconds.
func between(t *testing.T) Frame {
	before := Sample{At: start, Host: api.Host{Host: "test", Reservations: []api.Status{
		status(2048, "web", "1", time.Second, 0, 0), status(2049, "batch", "2", 0, time.Second, time.Second),
		status(2050, "again", "3", 5*time.Second, 0, 0), status(2051, "back", "4", 0, 0, 0), status(2052, "gone", "5", ms, 0, 0),
	}}}
	before.Calls.Accounts = []receipt.Account{account(t, 0, "crc32", 100, 10, 1), account(t, 7, "crc32", 100, 5, 0)}
	now := Sample{At: start.Add(2 * time.Second), Host: api.Host{Host: "test", Reservations: []api.Status{
		status(2048, "web", "1", 1500*ms, 100*ms, 0), status(2049, "batch", "2", 0, 2500*ms, 1200*ms),
		status(2050, "again", "3", 0, 0, 0), status(2051, "back", "9", ms, 0, 0), status(2052, "gone", "", 0, 0, 0),
		status(2053, "evil\x1b[2J\n\u202e", "6", 0, 0, 0),
	}}}
	now.Calls.Accounts = []receipt.Account{
		account(t, 0, "crc32", 100, 10, 1), account(t, 7, "crc32", 100, 5, 0),
		account(t, 9, "crc32", 5000, 100, 4), account(t, 9, "\x1b]0;evil\a", 70, 2, 0), account(t, 9, "unused", 1, 0, 0),
	}
	return Compare(before, now)
}

func TestSharesAreOfTheInterval(t *testing.T) {
	f := between(t)
	if f.Interval != 2*time.Second || f.Host != "test" || len(f.CPUs) != 1 || f.CPUs[0] != (CPU{1, 1.5}) {
		t.Errorf("%+v", f)
	}
	share := func(p *float64) string {
		if p == nil {
			return "-"
		}
		return fmt.Sprintf("%.2f", *p)
	}
	var got []string
	for _, r := range f.Reservations {
		got = append(got, fmt.Sprintf("%d %s %s %s", r.ID, share(r.ForegroundShare), share(r.BackgroundShare), share(r.ThrottledShare)))
	}
	// Shares of a domain that was adopted again, became another one, or stopped are not known.
	want := "[2048 0.25 0.05 0.00 2049 0.00 0.75 0.10 2050 - 0.00 0.00 2051 - - - 2052 - - - 2053 - - -]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v\nwant %v", got, want)
	}
	if len(f.Calls) != 2 {
		t.Fatalf("%+v", f.Calls)
	}
	c := f.Calls[1]
	if c.Function != "crc32" || c.Total != 115 || c.CallsPerSecond != 50 || c.ErrorsTotal != 5 || c.ErrorsPerSecond != 2 ||
		c.P50 < 4700*time.Nanosecond || c.P50 > 5300*time.Nanosecond || c.P99 != c.P50 {
		t.Errorf("%+v", c)
	}
}

func TestEachOrderSortsBothTables(t *testing.T) {
	for order, want := range map[Order]string{
		ByUse:   "[batch web again back gone evil\x1b[2J\n\u202e] [crc32 \x1b]0;evil\a]",
		ByName:  "[again back batch evil\x1b[2J\n\u202e gone web] [\x1b]0;evil\a crc32]",
		ByDelay: "[batch web again back gone evil\x1b[2J\n\u202e] [crc32 \x1b]0;evil\a]",
	} {
		f := between(t)
		f.Sort(order)
		var names, functions []string
		for _, r := range f.Reservations {
			names = append(names, r.Name)
		}
		for _, c := range f.Calls {
			functions = append(functions, c.Function)
		}
		if got := fmt.Sprint(names, functions); got != want {
			t.Errorf("by %v: %q, want %q", order, got, want)
		}
	}
	if ByDelay.next() != ByUse {
		t.Error("the orders do not come round")
	}
}

// text is a frame without the spaces that end its lines.
func text(f Frame, l Look) string {
	return regexp.MustCompile(` +\n`).ReplaceAllString(f.Text(l), "\n")
}

func TestTextAlignsAndCleansNames(t *testing.T) {
	f := between(t)
	got := text(f, Look{Order: ByUse})
	want := `03:04:07  test  domains: 0  reservations: 6  CPUs reserved: 1: 150 %  sorted by use

DOMAIN     NAME        FORE %  BACK %  THROT %  STEAL %  GATE  BUDGET  PERIOD  LEFT              PROBLEM
2          batch          0.0    75.0     10.0        -  -       10ms    40ms  [#####-----] 5ms
1          web           25.0     5.0      0.0        -  -       10ms    40ms  [#####-----] 5ms
3          again            -     0.0      0.0        -  -       10ms    40ms  [#####-----] 5ms
9          back             -       -        -        -  -       10ms    40ms  [#####-----] 5ms
(stopped)  gone             -       -        -        -  -       10ms    40ms
6          evil�[2J��       -       -        -        -  -       10ms    40ms  [#####-----] 5ms

CALLED  LIBRARY  FUNCTION   CALLS/S     P50     P99  ERRORS/S  CALLS  ERRORS
web     libz     crc32         50.0  4.85µs  4.85µs       2.0    115       5
web     libz     �]0;evil�      1.0    68ns    68ns       0.0      2       0
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	f.Throttle = &api.Throttle{Source: "evil\x1b", Policy: "rate", State: api.ThrottleEnough}
	_, tables, _ := strings.Cut(want, "\n\n")
	headline, _, _ := strings.Cut(want, "\n")
	want = headline + "\n\nthrottle: evil�, policy rate, latency -, open: memory is fast enough for the policy\n" + tables
	if got := text(f, Look{Order: ByUse}); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// A reservation that was not admitted counts on no CPU. It, and one whose domain is
// absent, say why.
func TestDomainsWithoutTheirReservationSayWhy(t *testing.T) {
	web, db, wbe := status(2048, "web", "1", 0, 0, 0), status(2049, "db", "2", 0, 0, 0), status(2050, "wbe", "", 0, 0, 0)
	for _, s := range []*api.Status{&web, &db, &wbe} {
		s.Budget, s.Period, s.Left = 80*ms, 100*ms, 0
	}
	db.Waits, db.Problem = true, "not admitted"
	wbe.Budget, wbe.CPUs, wbe.Absent, wbe.Problem = ms, nil, true, "no domain has that name"
	now := Sample{Host: api.Host{Reservations: []api.Status{web, db, wbe}}}
	f := Compare(now, now)
	got := text(f, Look{Order: ByName})
	want := `CPUs reserved: 1: 80 %  sorted by name

DOMAIN    NAME  FORE %  BACK %  THROT %  STEAL %  GATE  BUDGET  PERIOD  LEFT            PROBLEM
2         db         -       -        -        -  -       80ms   100ms                  not admitted
(absent)  wbe        -       -        -        -  -        1ms   100ms                  no domain has that name
1         web        -       -        -        -  -       80ms   100ms  [----------] -
`
	if !strings.Contains(got, want) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Whatever the height, the text fits and says how many rows are missing; nothing in
// it moves the cursor.
func TestTextFitsTheTerminalsHeight(t *testing.T) {
	for height := 1; height < 30; height += 3 {
		f := between(t)
		for range 20 {
			f.Reservations = append(f.Reservations, f.Reservations[0])
			f.Reservations[len(f.Reservations)-1].Problem = strings.Repeat("\x1b[31m why ", 40)
			f.Calls = append(f.Calls, f.Calls[0])
		}
		if height%2 == 0 {
			f.Throttle = &api.Throttle{Source: "probe", State: api.ThrottleClosed, CPUs: make([]api.ThrottleCPU, 64)}
		}
		for _, help := range []bool{false, true} {
			got := f.Text(Look{Height: height, Status: "bad\nluck", Help: help})
			if n := strings.Count(got, "\n"); height > 9 && n > max(height, 15) {
				t.Fatalf("%d lines in %d:\n%s", n, height, got)
			}
			if strings.ContainsAny(got, "\x1b\r\a\t") {
				t.Fatalf("%q", got)
			}
			if height > 9 && !help && !strings.Contains(got, " more\n") {
				t.Fatalf("missing rows are not counted:\n%s", got)
			}
		}
	}
}

// Servers that are spread over CPUs are reserved on each for the part that is there.
func TestServersCountOnTheirCPUs(t *testing.T) {
	s := api.Status{}
	s.Domain, s.Reservation.Servers, s.CPUs = &host.Domain{ID: "1", VCPUs: 4}, 4, []int{0, 1}
	s.Budget, s.Period = 20*time.Millisecond, 100*time.Millisecond
	f := Compare(Sample{}, Sample{Host: api.Host{Reservations: []api.Status{s}}})
	if want := []CPU{{0, 0.4}, {1, 0.4}}; !slices.Equal(f.CPUs, want) {
		t.Errorf("%+v, want %+v", f.CPUs, want)
	}
}

func TestSharesOfTheFirstFrameAreNull(t *testing.T) {
	s := Sample{At: start, Host: api.Host{Reservations: []api.Status{status(2048, "web", "1", 0, 0, 0)}}}
	f := Compare(s, s)
	if r := f.Reservations[0]; r.ForegroundShare != nil {
		t.Errorf("%+v", r)
	}
	b, err := json.Marshal(f)
	if err != nil || !strings.Contains(string(b), `"foreground_share":null`) || !strings.Contains(string(b), `"calls":[]`) {
		t.Errorf("%s, %v", b, err)
	}
}

// A domain without a reservation has all its time in background; what its host does not
// tell is a dash.
func TestDomainsWithoutAReservationAreRows(t *testing.T) {
	domain := func(id, name string, cpu, steal time.Duration, gate host.Gate, reservation uint32) api.Domain {
		return api.Domain{Domain: host.Domain{ID: id, UUID: "u-" + id, Name: name}, Reservation: reservation, Work: host.Work{CPU: cpu, Steal: &steal, Gate: gate}}
	}
	before := Sample{At: start, Host: api.Host{Reservations: []api.Status{status(2048, "web", "1", 0, 0, 0)}, Domains: []api.Domain{
		domain("1", "web", 0, 0, "", 2048), domain("7", "batch", time.Second, 0, "", 0), domain("8", "idle", ms, 0, "", 0),
	}}}
	now := Sample{At: start.Add(time.Second), Host: api.Host{Reservations: []api.Status{status(2048, "web", "1", 500*ms, 0, 0)}, Domains: []api.Domain{
		domain("1", "web", 500*ms, 250*ms, host.GateOpen, 2048), domain("7", "batch\x1b[2J", 1900*ms, 400*ms, host.GateClosed, 0), domain("8", "idle", ms, 0, "", 0),
	}}}
	now.Host.Domains[2].Steal = nil
	f := Compare(before, now)
	want := `domains: 3  reservations: 1  CPUs reserved: 1: 25 %  sorted by use

DOMAIN  NAME       FORE %  BACK %  THROT %  STEAL %  GATE    BUDGET  PERIOD  LEFT              PROBLEM
7       batch\ufffd[2J       -    90.0        -     40.0  closed       -       -
1       web          50.0     0.0      0.0     25.0  open      10ms    40ms  [#####-----] 5ms
8       idle            -     0.0        -        -  -            -       -
`
	if got := text(f, Look{Order: ByUse}); !strings.Contains(got, strings.ReplaceAll(want, "\\ufffd", "\ufffd")) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	b, err := json.Marshal(f.Domains[0])
	if err != nil || !strings.Contains(string(b), `"cpu_share":0.9,"steal_share":0.4,"throttled_share":null`) || !strings.Contains(string(b), `"steal_ns":400000000`) {
		t.Errorf("%s, %v", b, err)
	}
}
