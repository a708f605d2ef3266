// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/bench/experiment"
	"github.com/vlibos/vlibos/bench/report"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// TestMain also is an experiment's processes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == experiment.ChildCommand {
		if err := run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testkit.Main(m)
}

func vlibbench(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, log bytes.Buffer
	err := run(t.Context(), append([]string{"vlibbench"}, args...), nil, &out, &log)
	t.Logf("vlibbench %s\n%s", strings.Join(args, " "), &log)
	return out.String(), err
}

// The experiment runs the distribution's memcached, real load and a real job, up to
// the page.
func TestTailMakesAPageOfMemcached(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: domains are cgroups, which only root can make here")
	}
	if err := debs.Available(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "bench.jsonl")
	if _, err := vlibbench(t, "--out", file, "run", "--quick", "--job", "compression", "--rate", "5000", "--slot", "250ms", "tail"); err != nil {
		t.Fatal(err)
	}
	records, err := bench.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != len(corunner.Modes) {
		t.Fatalf("%d records, want one for each of %d modes", len(records), len(corunner.Modes))
	}
	drawn := false
	for _, r := range records {
		// On a busy machine blocks are left out, and all of them may be.
		discarded, _ := r.Discarded()
		left := r.Raw["repeats"] - discarded
		drawn = drawn || left > 0
		if n := r.Raw["requests"]; n < 100*left || left > 0 && (r.Raw["p50_us"] <= 0 || len(r.Samples["latency_us"]) == 0) {
			t.Errorf("%s: %v", r.Name, r.Raw)
		}
	}
	// feedback controls the latency of the service's users. A program's traffic is its
	// CPU time if nothing counts it.
	for i, m := range corunner.Modes {
		raw := records[i].Raw
		if m.Name == "feedback" && raw["limit_"+(*requestlatency.Source)(nil).Name()+"_ns"] <= 0 {
			t.Errorf("feedback: %v", raw)
		}
		if m.Name == "rate" && raw["budget_misses_per_s"]+raw["budget_cpu_ns_per_s"] <= 0 {
			t.Errorf("rate: %v", raw)
		}
	}
	out, err := vlibbench(t, "--out", file, "report", filepath.Join(dir, "page"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "tail.compression.reserved") {
		t.Errorf("the summary: %s", out)
	}
	page, err := os.ReadFile(filepath.Join(dir, "page", report.File))
	if err != nil || bytes.Contains(page, []byte(`data-figure="tail-compression"`)) != drawn {
		t.Errorf("%v; a picture is wanted: %v", err, drawn)
	}
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"run"}, {"run", "nothing"}, {"run", "--quick", "--full", "lidar"}, {"run", "--job", "nothing", "tail"}, {"run", "--rate", "-1", "tail"}, {"run", "--slot", "2m", "tail"},
		{"report"}, {"--out", filepath.Join(t.TempDir(), "none"), "report", t.TempDir()},
	} {
		if _, err := vlibbench(t, args...); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
