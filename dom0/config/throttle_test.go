// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLoadThrottle(t *testing.T) {
	c, err := load(t, `
[throttle]
source = "probe"
probe_cpu = 3
policy = "feedback"
threshold_ns = 180.5
period = "2ms"
cpus = [0, 1]
`)
	if err != nil {
		t.Fatal(err)
	}
	th := c.Throttle
	if th == nil || th.Source != "probe" || th.ProbeCPU != 3 || th.Policy != "feedback" || th.Params.Threshold != 180.5 || th.Period != 2*time.Millisecond || !slices.Equal(th.CPUs, []int{0, 1}) {
		t.Errorf("%+v", th)
	}
	if c, err = load(t, "host = 'native'"); err != nil || c.Throttle != nil {
		t.Errorf("off by default: %+v, %v", c, err)
	}
	if c, err = load(t, "[throttle]\nthreshold_ns = 200"); err != nil || c.Throttle.Source != "auto" || c.Throttle.Policy != "threshold" || c.Throttle.Period != 10*time.Millisecond || c.Throttle.ProbeCPU != -1 {
		t.Errorf("%+v, %v", c.Throttle, err)
	}
}

func TestThrottleErrorsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		"[throttle]": ":1: throttle: policy threshold: a latency of 0 ns",
		"[throttle]\nsource = 'pmu'\nthreshold_ns = 9":                                                        ":2: throttle: source \"pmu\": want one of auto",
		"[throttle]\nthreshold_ns = 9\npolicy = 'paper'":                                                      ":3: throttle: policy \"paper\": want one of none",
		"[[adopt]]\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\n[throttle]\nthreshold_ns = 9\nperiod = '1s'": ":7: throttle: period 1s",
		"[throttle]\nthreshold_ns = 9\ncpus = [1, -1]":                                                        ":3: throttle: cpus",
		"[throttle]\nthreshold_ns = 9\nsource = 'probe'":                                                      ":3: throttle: source probe needs probe_cpu",
		"[throttle]\nthreshold_ns = 9\nprobe_cpu = -1":                                                        ":3: throttle: probe_cpu",
		"[throttle]\nthreshold_ns = 9\nsource = 'requests'":                                                   ":3: throttle: source requests needs",
		"[throttle]\nthreshold_ns = 9\nquantile = 1.0":                                                        ":3: throttle: quantile",
		"[throttle]\nthreshold_ns = 9\nmost = 2.0":                                                            ":3: throttle: policy threshold: a largest",
		"[throttle]\npolicy = 'rate'":                                                                         ":2: throttle: policy rate: a budget",
		"[throttle]\nthreshold_ns = 'x'":                                                                      "line 2",
		"[throttle]\nthreshold_ns = 9\nlatency = 9":                                                           ":3: unknown key \"throttle.latency\"",
		"[throttle]\nthreshold_ns = nan":                                                                      "a latency of NaN",
	} {
		_, err := load(t, text)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestSetThrottle(t *testing.T) {
	values := []Value{{"threshold_ns", "180"}, {"source", `"probe"`}, {"probe_cpu", "2"}}
	table := "[throttle]\nprobe_cpu = 2\nsource = \"probe\"\nthreshold_ns = 180\n"
	for before, want := range map[string]string{
		"":                        table,
		"# mine\nhost = 'native'": "# mine\nhost = 'native'\n\n" + table,
		"[throttle] # on\npolicy = 'none'\n\n[[adopt]] # x\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\n": "[throttle] # on\nprobe_cpu = 2\nsource = \"probe\"\nthreshold_ns = 180\npolicy = 'none'\n\n[[adopt]] # x\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\n",
		"[throttle]\n  threshold_ns = 9 # by hand\nsource = 'auto'\n":                                      "[throttle]\nprobe_cpu = 2\nthreshold_ns = 180 # by hand\nsource = \"probe\"\n",
	} {
		got, err := SetThrottle(before, values)
		if err != nil || got != want {
			t.Errorf("%q: %v\n%s\nwant\n%s", before, err, got, want)
			continue
		}
		if again, err := SetThrottle(got, values); err != nil || again != got {
			t.Errorf("%q set again: %v\n%s", before, err, again)
		}
	}
	for _, before := range []string{"host = 'kvm'", "throttle = { threshold_ns = 4 }", "a\nb"} {
		if got, err := SetThrottle(before, values); err == nil {
			t.Errorf("%q became %q", before, got)
		}
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "etc", "c.toml")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := Replace(file, "one"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Replace(link, "two"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	info, err2 := os.Stat(file)
	if err := errors.Join(err, err2); err != nil || string(text) != "two" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", text, info, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info, err)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
