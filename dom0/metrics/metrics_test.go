// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/receipt"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// fakeHost reports what the test sets.
type fakeHost struct {
	all  []api.Status
	work []api.Domain
	fail error
}

func (h *fakeHost) Domains(context.Context) ([]api.Domain, error) { return h.work, h.fail }

func (h *fakeHost) Host() string                               { return "test" }
func (h *fakeHost) List(context.Context) ([]api.Status, error) { return h.all, h.fail }
func (h *fakeHost) Health() master.Health                      { return master.Health{LeaseLost: 2, ReviewErrors: 3} }

const ms = time.Millisecond

func (h *fakeHost) Identify(_ context.Context, refs []string) (map[string]host.Domain, error) {
	all := map[string]host.Domain{}
	for _, ref := range refs {
		if ref == "web" || ref == "U-1" {
			all[ref] = host.Domain{ID: "1", UUID: "u-1", Name: "web"}
		}
	}
	if h.fail != nil {
		return nil, h.fail
	}
	return all, nil
}

// targets are called by users other than root: web by its name and by its UUID.
type targets struct{}

func (targets) List() []api.Target {
	return []api.Target{
		{Domain: "web", Port: 1, Clients: 3, Waiting: 2, Calls: 100, Done: 90, Failed: 10, Timeouts: 6, Expired: 2, Refused: 7},
		{Domain: "U-1", Port: 1, Waiting: 1, Done: 1},
		{Domain: "web", Port: 2},
		{Domain: "gone\xff", Port: 1},
	}
}

func (targets) Watched() []api.Watched {
	return []api.Watched{{Domain: "web", Wedged: true, For: time.Minute, Restarts: 2}, {Domain: "U-1", Restarts: 1}, {Domain: "gone\xff"}}
}

// throttleOf is a throttle that is closed, unless it is off.
type throttleOf struct{ off bool }

func (t throttleOf) Status() *api.Throttle {
	if t.off {
		return nil
	}
	return &api.Throttle{
		Source: "probe", Policy: "threshold", Traffic: "counted", Period: 10 * ms, State: api.ThrottleClosed, Latency: 250,
		CPUs: []api.ThrottleCPU{{ID: 1, Idle: 0.25}, {ID: 2}}, Decisions: 9, Throttled: 8, Unhealthy: 3, Dropped: 2, Stuck: 1,
	}
}

func status(uuid, name, domain string) api.Status {
	d := host.Domain{ID: domain, UUID: uuid, Name: name}
	return api.Status{
		Reservation: api.Reservation{Reservation: d.On(rtsched.Task{ID: 2048, Budget: 10 * ms, Period: 100 * ms}), Name: name, CPUs: []int{0, 1}},
		Usage:       host.Usage{Foreground: 3 * time.Second, Background: 500 * ms, Throttled: ms, Left: 4 * ms, Next: 50 * ms},
	}
}

// numbered is a status with another number.
func numbered(id uint32, s api.Status) api.Status {
	s.ID = id
	return s
}

// calledBy is a shelf with a book in it.
func calledBy(t *testing.T) *receipt.Shelf {
	t.Helper()
	dir := t.TempDir()
	s, err := receipt.OpenShelf(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b, err := receipt.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	r := b.Recorder(receipt.Caller{UID: 33, Comm: "tool"}, "u-1", "web")
	r.Record("libz.so.1", "crc32", vlibcall.Receipt{
		Wall: 1024, Cost: &transport.Cost{Foreground: 700, Background: 100, Queued: 5, Throttled: 9, Deschedules: 4},
	}, nil)
	r.Record("libz.so.1", "crc32", vlibcall.Receipt{Wall: 1025}, vlibcall.ErrTimeout)
	b.Recorder(receipt.Caller{UID: 0, Comm: "a\xff\n"}, "u\"2\x1b[2J", "evil\n} 1\n\xc3").Record("l\\", "f", vlibcall.Receipt{Wall: ms}, nil)
	return s
}

// cachesOf knows the use also of two domains with the same labels, and why a domain has none.
type cachesOf struct{}

func (cachesOf) Use(context.Context) map[string]host.CacheUse {
	return map[string]host.CacheUse{"1": {Occupied: 4, Moved: 8}, "4": {Problem: "no ID"}, "2": {Occupied: 64, Moved: 640}, "3": {Occupied: 1, Moved: 10}}
}

func source(t *testing.T) Source {
	waited := 3 * time.Second
	return Source{
		Master: &fakeHost{work: []api.Domain{{
			Domain: host.Domain{ID: "1", UUID: "u-1", Name: "web"}, Work: host.Work{Steal: &waited, Throttled: &waited, Gate: host.GateOpen},
		}}, all: []api.Status{
			status("u-1", "web", "1"), status("u-2", "db", ""),
			status("u-3", "evil\"\n} 1\n\x1b\xff\u202e", "3"), numbered(2049, status("u\x01", "a", "4")), numbered(2050, status("u\x02", "a", "5")),
		}},
		Calls: calledBy(t), Gateway: targets{}, Throttle: throttleOf{}, Caches: cachesOf{},
	}
}

var build = Build{"v1", "abc", "go"}

func exposition(t *testing.T, s Source) string {
	t.Helper()
	h := Handler(s, build, slog.New(slog.DiscardHandler))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", Path, nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d, %v: %s", w.Code, err, b)
	}
	return string(b)
}

func TestFiguresOfAllPartsAreExported(t *testing.T) {
	text := exposition(t, source(t))
	const web, reserved, crc = `{name="web",uuid="u-1"}`, `{holder="domain",name="web",reservation="2048",uuid="u-1"}`, `comm="tool",function="crc32",library="libz.so.1",name="web",uid="33",uuid="u-1"`
	for _, want := range []string{
		`vlibos_build_info{commit="abc",go_version="go",host="test",version="v1"} 1`,
		`vlibos_lease_lost_total 2`,
		`vlibos_review_errors_total 3`,
		`vlibos_collection_success{part="calls"} 1`,
		`vlibos_collection_success{part="gateway"} 1`,
		`vlibos_gateway_clients{name="web",port="1",uuid="u-1"} 3`,
		`vlibos_gateway_queue_length{name="web",port="1",uuid="u-1"} 3`,
		`vlibos_gateway_queue_length{name="web",port="2",uuid="u-1"} 0`,
		`vlibos_gateway_calls_total{name="web",outcome="done",port="1",uuid="u-1"} 91`,
		`vlibos_gateway_calls_total{name="web",outcome="failed",port="1",uuid="u-1"} 4`,
		`vlibos_gateway_calls_total{name="web",outcome="timeout",port="1",uuid="u-1"} 8`,
		`vlibos_gateway_calls_total{name="web",outcome="denied",port="1",uuid="u-1"} 7`,
		`vlibos_gateway_wedged` + web + ` 1`,
		`vlibos_gateway_wedged{name="gone�",uuid=""} 0`,
		`vlibos_gateway_restarts_total` + web + ` 3`,
		`vlibos_throttle_info{policy="threshold",source="probe",traffic="counted"} 1`,
		`vlibos_throttle_state{state="closed"} 1`,
		`vlibos_throttle_state{state="policy"} 0`,
		`vlibos_throttle_latency_seconds 2.5e-07`,
		`vlibos_throttle_period_seconds 0.01`,
		`vlibos_throttle_idle_ratio{cpu="1"} 0.25`,
		`vlibos_throttle_idle_ratio{cpu="2"} 0`,
		`vlibos_throttle_decisions_total 9`,
		`vlibos_throttle_closed_decisions_total 8`,
		`vlibos_throttle_unhealthy_decisions_total 3`,
		`vlibos_throttle_dropped_policies_total 2`,
		`vlibos_throttle_late_total 1`,
		`vlibos_reservation_foreground_seconds_total` + reserved + ` 3`,
		`vlibos_reservation_background_seconds_total` + reserved + ` 0.5`,
		`vlibos_reservation_throttled_seconds_total` + reserved + ` 0.001`,
		`vlibos_reservation_budget_seconds` + reserved + ` 0.01`,
		`vlibos_reservation_period_seconds` + reserved + ` 0.1`,
		`vlibos_reservation_left_seconds` + reserved + ` 0.004`,
		`vlibos_reservation_next_refill_seconds` + reserved + ` 0.05`,
		`vlibos_reservation_running` + reserved + ` 1`,
		`vlibos_reservation_running{holder="domain",name="db",reservation="2048",uuid="u-2"} 0`,
		`vlibos_cpu_reserved_ratio{cpu="1"} 0.5`,
		// 1024 ns is in the bucket whose edge it is, 1025 ns is not.
		`vlibos_call_duration_seconds_bucket{` + crc + `,le="1.024e-06"} 1`,
		`vlibos_call_duration_seconds_bucket{` + crc + `,le="2.048e-06"} 2`,
		`vlibos_call_duration_seconds_bucket{` + crc + `,le="+Inf"} 2`,
		`vlibos_call_duration_seconds_count{` + crc + `} 2`,
		`vlibos_call_cpu_seconds_count{` + crc + `} 1`,
		`vlibos_call_cpu_seconds_sum{` + crc + `} 8e-07`,
		`vlibos_call_queued_seconds_sum{` + crc + `} 5e-09`,
		`vlibos_call_foreground_seconds_total{` + crc + `} 7e-07`,
		`vlibos_call_background_seconds_total{` + crc + `} 1e-07`,
		`vlibos_call_throttled_seconds_total{` + crc + `} 9e-09`,
		`vlibos_call_deschedules_total{` + crc + `} 4`,
		`vlibos_call_errors_total{` + strings.Replace(crc, `,library`, `,kind="timeout",library`, 1) + `} 1`,
		`vlibos_receipt_books 1`,
		`vlibos_receipt_books_rejected_total 0`,
		`vlibos_receipt_overflow 0`,
		"go_goroutines ", "process_start_time_seconds ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	// The use of a domain that does not run is unknown, and 0 would look like a
	// restart.
	if strings.Contains(text, `foreground_seconds_total{holder="domain",name="db"`) {
		t.Error("time of a domain that does not run")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// A reservation that does not fit on its domain's CPUs counts on no CPU, and
// has a problem and no use. One whose domain does not exist is absent. Each is
// exported by its name.
func TestDomainsWithoutTheirReservation(t *testing.T) {
	s := source(t)
	web, db := status("u-1", "web", "1"), status("u-2", "db", "2")
	db.Waits, db.Problem = true, "not admitted"
	absent := func(name string) api.Status {
		s := status("", name, "")
		s.CPUs, s.Absent, s.Problem = nil, true, "no domain has that name"
		return s
	}
	s.Master = &fakeHost{all: []api.Status{web, db, absent("wbe"), absent("bd")}, fail: errors.New("domain 2: invalid argument")}
	text := exposition(t, s)
	for _, want := range []string{
		`vlibos_cpu_reserved_ratio{cpu="0"} 0.1`,
		`vlibos_reservation_problem{holder="domain",name="db",reservation="2048",uuid="u-2"} 1`,
		`vlibos_reservation_problem{holder="domain",name="wbe",reservation="2048",uuid=""} 0`,
		`vlibos_reservation_absent{holder="domain",name="wbe",reservation="2048",uuid=""} 1`,
		`vlibos_reservation_absent{holder="domain",name="bd",reservation="2048",uuid=""} 1`,
		`vlibos_reservation_absent{holder="domain",name="web",reservation="2048",uuid="u-1"} 0`,
		`vlibos_reservation_foreground_seconds_total{holder="domain",name="web",reservation="2048",uuid="u-1"} 3`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("missing %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, `foreground_seconds_total{holder="domain",name="db"`) {
		t.Error("a use of what it does not have")
	}
}

func TestHostileNamesStayWithinTheirLine(t *testing.T) {
	text := exposition(t, source(t))
	// A name, labels without a raw line break or control character, a number.
	line := regexp.MustCompile(`^[a-z_][a-z0-9_]*(\{([a-z_]+="([^"\\\pC]|\\[\\"n])*",?)*\})? (\S+)$`)
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if strings.HasPrefix(l, "# ") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Errorf("%q", l)
			continue
		}
		if _, err := strconv.ParseFloat(m[len(m)-1], 64); err != nil {
			t.Errorf("%q: %v", l, err)
		}
	}
	if !strings.Contains(text, `name="evil\"�} 1��`) || !strings.Contains(text, `uuid="u\"2�[2J"`) {
		t.Error("the hostile ones are missing")
	}
}

func TestMetricsFollowPrometheusConventions(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(New(source(t), build))
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// A part that cannot be read is missing, and reported; the other parts are
// there.
func TestPartsFailAlone(t *testing.T) {
	s := source(t)
	s.Master = &fakeHost{fail: errors.New("xenstored does not answer")}
	text := exposition(t, s)
	for want, is := range map[string]bool{
		`vlibos_collection_success{part="reservations"} 0`: true,
		`vlibos_collection_success{part="calls"} 1`:        true,
		`vlibos_collection_success{part="gateway"} 0`:      true,
		`vlibos_gateway_wedged{name="web",uuid=""} 1`:      true, // as the rule names it
		`vlibos_call_duration_seconds_count{`:              true,
		`vlibos_reservation_`:                              false,
	} {
		if strings.Contains(text, want) != is {
			t.Errorf("%s: want %v", want, is)
		}
	}
}

// A domain that is gone for a while keeps its series. One that never throttled
// has none.
func TestAbsentDomainsKeepTheirLabels(t *testing.T) {
	s, m := source(t), &fakeHost{}
	s.Master, s.Throttle = m, throttleOf{off: true}
	h := Handler(s, build, slog.New(slog.DiscardHandler))
	scrape := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", Path, nil))
		return w.Body.String()
	}
	const wedged = "\nvlibos_gateway_wedged{name=\"web\",uuid=\"u-1\"} 1\n"
	for _, fail := range []error{nil, errors.New("xenstored does not answer")} {
		m.fail = fail
		if text := scrape(); !strings.Contains(text, wedged) || strings.Contains(text, "vlibos_throttle_") {
			t.Errorf("%v: %s", fail, text)
		}
	}
}
