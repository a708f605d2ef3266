// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// complete has a record of each kind, so that every figure has all of its
// charts.
func complete() []bench.Record {
	record := func(name string, value float64, unit string, raw ...any) bench.Record {
		r := bench.Record{Name: name, Value: value, Unit: unit, Better: bench.Lower, Machine: "a machine", Version: "a version", Raw: make(map[string]float64)}
		if onXenByName(name) {
			r.Machine = "Xen 4.17, in an emulator"
		}
		for i := 0; i < len(raw); i += 2 {
			r.Raw[raw[i].(string)] = raw[i+1].(float64)
		}
		return r
	}
	all := []bench.Record{
		record("call.native.spin", 3, "ratio", "line1_ns", 120.0, "session_ns", 300.0, "call_ns", 360.0),
		record("call.native.block", 1.1, "ratio", "eventfd_ns", 9000.0, "call_ns", 10000.0, "adaptive_ns", 7000.0),
		record("call.native.socket", 0.7, "ratio", "socket_ns", 14000.0),
		record("call.native.rpc", 0.2, "ratio", "rpc_ns", 50000.0),
		record("call.lab.null_ioctl", 0.02, "ratio", "null_ioctl_instructions_p50", 1340.0),
		record("call.lab.xen_hypercall", 0.03, "ratio", "xen_hypercall_instructions_p50", 1860.0),
		record("call.lab.session", 0.04, "ratio", "session_instructions_p50", 2900.0),
		record("call.lab.adaptive", 0.9, "ratio", "adaptive_instructions_p50", 65000.0),
		record("call.lab.block", 0.9, "ratio", "block_instructions_p50", 66000.0, "vchan_instructions_p50", 74700.0),
		record("call.lab.open", 3, "ratio", "open_instructions_p50", 210000.0),
		record("module.deschedule", 0.9, "ratio", "gate_closes_instructions_p50", 5000.0, "pause_instructions_p50", 6000.0),
		record("throttle.none", 3, "ratio", "work_ratio", 1.0, "median_p10_ratio", 2.5, "median_p90_ratio", 3.5),
		record("throttle.threshold-0.25", 1.2, "ratio", "work_ratio", 0.3),
		record("throttle.rate-0.3", 1.4, "ratio", "work_ratio", 0.25),
		record("throttle.half.none", 2, "ratio", "work_ratio", 1.0),
		record("throttle.half.felt-1.3", 1.25, "ratio", "work_ratio", 0.4),
		record("throttle.half.rate-0.3", 1.2, "ratio", "work_ratio", 0.2),
		record("throttle.over_rate", 1.5, "ratio"),
		record("sched.overshoot", 31, "µs"),
		record("sched.wakeup.ratio", 0.1, "ratio"),
		record("charge.accuracy", 0.01, "%"),
		record("charge.evader", 0.02, "%"),
		record("of no figure", 1, "ratio"),
	}
	for _, group := range []string{"u10", "u30", "u60"} {
		r := record("throttle.mjump."+group, 0.5, "of the slowdown", "batch_work", 0.4, "recovered_latency", 0.45)
		for _, q := range []string{"_p10", "_p50", "_p90"} {
			r.Raw["recovered"+q], r.Raw["recovered_in_master"+q] = 0.5, 0.4
		}
		for i, f := range fig6 {
			for j, q := range []string{"_p10", "_p50", "_p90"} {
				r.Raw[f.name+"_writes_per_s"+q] = 1e6 - float64(i)*1e5 + float64(j)*1e4
			}
		}
		all = append(all, r)
	}
	all = append(all, record("throttle.mjump_quick.u10", 0.6, "of the latency", "batch_work", 0.3, "recovered_latency", 0.6,
		"alone_writes_per_s_p50", 9e5, "vlibos_writes_per_s_p50", 5e5, "called_writes_per_s_p50", 8e5,
		"alone_task_latency_ns", 20e3, "vlibos_task_latency_ns", 40e3, "called_task_latency_ns", 28e3))
	for i, s := range schedulers {
		all = append(all, record("sched.wakeup."+s.name+".p50", float64(5*(i+1)), "µs"), record("sched.wakeup."+s.name+".p999", float64(500*(i+1)), "µs"))
	}
	for i, s := range served {
		all = append(all, record("service.lab."+s.name, float64(i+1), "ratio", "p99_us", 400.0, "p999_us", 900.0, "neighbours_cpu_percent", 90.0))
	}
	for i, m := range corunner.Modes {
		l := record("lidar."+m.Name, float64(i), "ratio", "p50_us", 3.0, "p99_us", 4.0, "max_us", 9.0, "mean_us", 3.5)
		l.Samples = map[string][]float64{"decision_us": {3, 3.5, 9, 3, float64(i)}}
		all = append(all, pairsOf(l, i))
		for _, job := range corunner.Jobs() {
			r := record("tail."+job+"."+m.Name, float64(i), "ratio", "work_percent", float64(20*i), "p50_us", 40.0, "p99_us", 90.0, "p999_us", 800.0)
			r.Samples = map[string][]float64{"percentile": {0, 50, 99, 99.9}, "latency_us": {20, 40, 90, 800 * float64(i+1)}}
			all = append(all, pairsOf(r, i))
		}
	}
	return all
}

// pairsOf gives the record of the i-th mode what comes from pairs of blocks.
func pairsOf(r bench.Record, i int) bench.Record {
	r.Raw["repeats"], r.Raw["seed"], r.Raw["discarded_late"] = 180, 1, 2
	if i == 0 {
		return r
	}
	r.Raw["pairs"], r.Raw["rounds_took_s"] = 170, 600
	for _, prefix := range []string{"", corunner.Instead} {
		for q, v := range map[string]float64{"p50": 1.1, "p99": float64(i), "p999": float64(2 * i)} {
			name := prefix + q + "_ratio"
			r.Raw[name], r.Raw[name+"_low"], r.Raw[name+"_high"] = v, 0.99*v, 1.01*v
		}
	}
	return r
}

// onXenByName reports whether an experiment of the lab makes the record.
func onXenByName(name string) bool {
	return regexp.MustCompile(`^(call\.lab|module|sched|charge|service|throttle\.mjump)`).MatchString(name)
}

func pageOf(t *testing.T, all []bench.Record) string {
	t.Helper()
	var out bytes.Buffer
	if err := HTML(&out, all, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// charts returns how many marks each figure of the page has, at a width.
func charts(page, size string) map[string]int {
	found := make(map[string]int)
	for _, svg := range regexp.MustCompile(`(?s)<svg class="`+size+`" data-figure="([^"]+)".*?</svg>`).FindAllStringSubmatch(page, -1) {
		found[svg[1]] = strings.Count(svg[0], `class="data `)
	}
	return found
}

// marks is how many marks each figure of [complete] must have.
var marks = map[string]int{
	"overhead-native": 8, "overhead-xen": 6, "overhead-single": 3, "mjump-u10": 5, "mjump-u30": 5, "mjump-u60": 5, "mjump-quick-u10": 3,
	"mjump-recovered": 11, // three a group, those of the quick run, the paper's
	"throttle-slow":   6, "throttle-work": 6,
	"throttle-curve": 6, "throttle-half-curve": 6, // lines, their points and their keys
	"lidar": 8, "lidar-worst": 10, // with two of the paper's
	"lidar-p50": 7, "lidar-p99": 7, // each over alone
	"tail-m_jump-p50": 7, "tail-m_jump-p99": 7, "tail-compiler-p50": 7, "tail-compiler-p99": 7, "tail-compression-p50": 7, "tail-compression-p99": 7,
	"service-p99": 6, "service-p999": 6, "service-work": 4,
	"sched-p50": 3, "sched-p999": 3, "charge": 2,
	"tail-m_jump": 16, "tail-compiler": 16, "tail-compression": 16, // each with its key
	"tail-work-m_jump": 7, "tail-work-compiler": 7, "tail-work-compression": 7, // no work alone
}

func TestPageHasEveryFigureAndNeedsNoNetwork(t *testing.T) {
	page := pageOf(t, complete())
	for _, size := range []string{"wide", "narrow"} {
		if got := charts(page, size); !maps.Equal(got, marks) {
			t.Errorf("%s charts have these marks: %v, want %v", size, got, marks)
		}
	}
	if strings.Contains(page, "Not measured yet") {
		t.Error("a figure is not measured")
	}
	for _, want := range []string{"4,754", "50 % of the slowdown", "99.9th 800 µs; the median is 1.1 (1.09 to 1.11) times that alone: longer; the 99th percentile is 2 (1.98 to 2.02) times that alone: longer", "170 pairs of blocks count, and 2 of its blocks were discarded (late 2)", "40 µs with the throttle off and 28 µs with it on", "24,000", "a machine", "a version", "of no figure", "vlibmaster bench tail"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	// The page loads nothing.
	for _, outside := range regexp.MustCompile(`(src|href|url)\s*[=(]\s*["']?(https?:)?//`).FindAllString(page, -1) {
		t.Errorf("the page needs the network: %s", outside)
	}
	if bad := regexp.MustCompile(`NaN|Inf\b|ZgotmplZ`).FindString(page); bad != "" {
		t.Errorf("%s in the page", bad)
	}
}

// The raw data in the page are the records.
func TestRawDataAreTheRecords(t *testing.T) {
	all := complete()
	m := regexp.MustCompile(`href="data:application/x-ndjson;base64,([^"]*)" download="bench.jsonl"`).FindStringSubmatch(pageOf(t, all))
	if m == nil {
		t.Fatal("no link to raw data")
	}
	text, err := base64.StdEncoding.DecodeString(strings.NewReplacer("&#43;", "+", "%2b", "+", "%2B", "+", "%3d", "=", "%2f", "/").Replace(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != len(all) {
		t.Fatalf("%d lines for %d records", len(lines), len(all))
	}
	var last bench.Record
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Name != all[len(all)-1].Name {
		t.Error(err, last.Name)
	}
}

func TestPageNamesWhatIsNotMeasured(t *testing.T) {
	one := []bench.Record{{Name: "call.native.spin", Value: 3, Unit: "ratio", Better: bench.Lower, Raw: map[string]float64{"call_ns": 300}}}
	page := pageOf(t, one)
	_, missing, _ := strings.Cut(page, "Not measured yet")
	for _, f := range figures {
		if said := strings.Contains(missing, "<li>"+f.title+":"); said != (f.id != "overhead") {
			t.Errorf("figure %s is said not to be measured: %v", f.id, said)
		}
	}
	var out bytes.Buffer
	if err := Summary(&out, one); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "not measured yet: "); n != len(figures)-1 {
		t.Errorf("the summary says so %d times:\n%s", n, &out)
	}
	out.Reset()
	if err := Measured(&out, one); err != nil || strings.Contains(out.String(), "not measured") {
		t.Error(err, &out)
	}
	if err := HTML(&out, nil, time.Now()); err == nil || !strings.Contains(err.Error(), "no records") {
		t.Error(err)
	}
}

// A noisy machine gives figures, but no sentences and no verdicts.
func TestNothingIsConcludedFromANoisyMachine(t *testing.T) {
	all := complete()
	for i := range all {
		all[i] = bench.Noise{Compute: 50}.Note(all[i])
		all[i].Target = bench.Goal(0.5)
	}
	page := pageOf(t, all)
	if n := strings.Count(page, "<b>No conclusion.</b>"); n != len(figures)+1 {
		t.Errorf("%d boxes for %d figures and the other records", n, len(figures))
	}
	if n := strings.Count(page, `<figure class="faint">`); n != len(marks) {
		t.Errorf("%d of %d charts are faded", n, len(marks))
	}
	for _, verdict := range []string{">met<", ">missed<", "A call that sleeps takes"} {
		if strings.Contains(page, verdict) {
			t.Errorf("%q is concluded from a noisy machine", verdict)
		}
	}
	if !strings.Contains(pageOf(t, complete()), "A call that sleeps takes") {
		t.Error("nothing is concluded from a quiet machine")
	}
	// Counts of instructions do not suffer from noise.
	all = complete()
	for i, r := range all {
		if strings.HasPrefix(r.Name, "call.native") {
			all[i] = bench.Noise{Compute: 50}.Note(r)
		}
	}
	page = pageOf(t, all)
	if strings.Contains(page, "A call that sleeps takes") || !strings.Contains(page, "Into a guest, it takes") {
		t.Error("a conclusion from times, or none from counts")
	}
	if n := strings.Count(page, `<figure class="faint">`); n != 1 {
		t.Errorf("%d charts are faded, want that of the noisy times", n)
	}
}

// Text of a record is not markup.
func TestTextOfARecordIsNotMarkup(t *testing.T) {
	const evil = `<script>alert("x")</script>`
	all := []bench.Record{{Name: "throttle." + evil, Value: 1, Unit: evil, Better: bench.Lower, Machine: evil, Version: evil}}
	if page := pageOf(t, all); strings.Contains(page, "<script") {
		t.Error("a record's text became markup")
	}
}

func TestWriteMakesThePageAndTheRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	file, err := Write(dir, complete())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 || filepath.Base(file) != File {
		t.Error(err, file)
	}
}

func TestTicksAreRoundValues(t *testing.T) {
	for _, c := range []struct {
		s    scale
		room float64
		want []float64
	}{
		{scale{from: 0, to: 10, a: 0, b: 100}, 5, []float64{0, 2, 4, 6, 8, 10}},
		{scale{from: 0, to: 0.9, a: 0, b: 1}, 5, []float64{0, 0.2, 0.4, 0.6, 0.8}},
		{scale{from: 0, to: 1020, a: 0, b: 1}, 3, []float64{0, 500, 1000}},
		{scale{from: 1, to: 100, a: 0, b: 1, log: true}, 7, []float64{1, 2, 5, 10, 20, 50, 100}},
		{scale{from: 1, to: 100, a: 0, b: 1, log: true}, 6, []float64{1, 5, 10, 50, 100}},
		{scale{from: 1, to: 1e6, a: 0, b: 1, log: true}, 4, []float64{1, 100, 1e4, 1e6}},
	} {
		got := c.s.ticks(c.room)
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("%+v: %v", c.s, got)
		}
	}
	l := logScale(30, 700).over(0, 300)
	if l.from != 20 || l.to != 1000 || l.at(20) != 0 || l.at(1000) != 300 || l.at(1) != 0 {
		t.Errorf("%+v", l)
	}
	if s := logScale(5, 5); s.from >= s.to {
		t.Errorf("%+v", s)
	}
}
