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

	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/platform"
	"github.com/vlibos/vlibos/receipt"
	"github.com/vlibos/vlibos/vlibcall"
)

// host says what it is told to.
type host struct {
	all  []master.Status
	fail error
}

func (h *host) Platform() string                              { return "test" }
func (h *host) List(context.Context) ([]master.Status, error) { return h.all, h.fail }
func (h *host) Health() master.Health                         { return master.Health{LeaseLost: 2, ReviewErrors: 3} }

const ms = time.Millisecond

func status(uuid, name, domain string) master.Status {
	return master.Status{
		Adoption: master.Adoption{UUID: uuid, Name: name, Budget: 10 * ms, Period: 100 * ms, CPUs: []int{0, 1}},
		Domain:   domain, Usage: platform.Usage{Foreground: 3 * time.Second, Background: 500 * ms, Throttled: ms, Left: 4 * ms, Next: 50 * ms},
	}
}

// called is a shelf with a book in it.
func called(t *testing.T) *receipt.Shelf {
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
		Wall: 1024, Cost: &vlibcall.Cost{Foreground: 700, Background: 100, Queued: 5, Throttled: 9, Deschedules: 4},
	}, nil)
	r.Record("libz.so.1", "crc32", vlibcall.Receipt{Wall: 1025}, vlibcall.ErrTimeout)
	b.Recorder(receipt.Caller{UID: 0, Comm: "a\xff\n"}, "u\"2\x1b[2J", "evil\n} 1\n\xc3").Record("l\\", "f", vlibcall.Receipt{Wall: ms}, nil)
	return s
}

func source(t *testing.T) Source {
	return Source{
		Master: &host{all: []master.Status{
			status("u-1", "web", "1"), status("u-2", "db", ""),
			status("u-3", "evil\"\n} 1\n\x1b\xff\u202e", "3"), status("u\x01", "a", "4"), status("u\x02", "b", "5"),
		}},
		Calls: called(t),
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

func TestFigures(t *testing.T) {
	text := exposition(t, source(t))
	const web, crc = `{name="web",uuid="u-1"}`, `comm="tool",function="crc32",library="libz.so.1",name="web",uid="33",uuid="u-1"`
	for _, want := range []string{
		`vlibos_build_info{commit="abc",go_version="go",platform="test",version="v1"} 1`,
		`vlibos_lease_lost_total 2`,
		`vlibos_review_errors_total 3`,
		`vlibos_collection_success{part="calls"} 1`,
		`vlibos_reservation_foreground_seconds_total` + web + ` 3`,
		`vlibos_reservation_background_seconds_total` + web + ` 0.5`,
		`vlibos_reservation_throttled_seconds_total` + web + ` 0.001`,
		`vlibos_reservation_budget_seconds` + web + ` 0.01`,
		`vlibos_reservation_period_seconds` + web + ` 0.1`,
		`vlibos_reservation_left_seconds` + web + ` 0.004`,
		`vlibos_reservation_next_refill_seconds` + web + ` 0.05`,
		`vlibos_reservation_running` + web + ` 1`,
		`vlibos_reservation_running{name="db",uuid="u-2"} 0`,
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
	// Of who does not run nothing is known, and 0 would look like a restart.
	if strings.Contains(text, `foreground_seconds_total{name="db"`) {
		t.Error("time of a domain that does not run")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// Every line is a metric, whatever names guests have chosen.
func TestHostileNames(t *testing.T) {
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

func TestLint(t *testing.T) {
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

// What cannot be read is missing, and said to be; the rest is there.
func TestPartsFailAlone(t *testing.T) {
	s := source(t)
	s.Master = &host{fail: errors.New("xenstored does not answer")}
	text := exposition(t, s)
	for want, is := range map[string]bool{
		`vlibos_collection_success{part="reservations"} 0`: true,
		`vlibos_collection_success{part="calls"} 1`:        true,
		`vlibos_call_duration_seconds_count{`:              true,
		`vlibos_reservation_`:                              false,
	} {
		if strings.Contains(text, want) != is {
			t.Errorf("%s: want %v", want, is)
		}
	}
}
