// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/experiment"
	"github.com/vlibos/vlibos/bench/report"
	"github.com/vlibos/vlibos/bench/tail"
)

// bare runs 'bench all' with the test's own experiments, without memcached.
func bare(t *testing.T, experiments []experiment.Experiment, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	was := experiment.All
	experiment.All = experiments
	defer func() { experiment.All = was }()
	var out, said strings.Builder
	noService := func(context.Context, io.Writer) (tail.Program, error) {
		return tail.Program{}, errors.New("no memcached here")
	}
	app := &cli.App{
		Writer: &out, ErrWriter: &said, ExitErrHandler: func(*cli.Context, error) {},
		Commands: New(Config{Name: "bench", Program: "x", Service: noService}),
	}
	err = app.RunContext(t.Context(), append([]string{"x", "bench"}, args...))
	return out.String(), said.String(), err
}

func measured(name string) experiment.Experiment {
	return experiment.Experiment{Name: name, Measure: func(_ context.Context, o experiment.Options) error {
		return o.Done(bench.Record{Name: name + ".figure", Unit: "ns", Value: 1, Better: bench.Lower, Time: time.Now()})
	}}
}

func failing(name string) experiment.Experiment {
	return experiment.Experiment{Name: name, Measure: func(context.Context, experiment.Options) error { return errors.New("it broke") }}
}

// The command names what is missing before it begins. A failed experiment does
// not stop the others.
func TestAllReportsWhatCouldBeMeasured(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	stdout, stderr, err := bare(t, []experiment.Experiment{measured("first"), failing("second"), measured("third"), measured(experiment.Tail)}, "--report", dir, "all")
	if err == nil || !strings.Contains(err.Error(), "what is missing: tail") || !strings.Contains(err.Error(), "experiment second: it broke") {
		t.Errorf("%v", err)
	}
	said := strings.Index(stderr, "missing on this machine:\n  tail: no memcached here\n")
	if begun := strings.Index(stderr, "first,"); said < 0 || begun >= 0 && begun < said {
		t.Errorf("standard error: %s", stderr)
	}
	for _, name := range []string{"first.figure", "third.figure"} {
		if !strings.Contains(stdout, name) {
			t.Errorf("%s is not in %s", name, stdout)
		}
	}
	records, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil || strings.Count(string(records), "\n") != 2 {
		t.Errorf("%s, %v", records, err)
	}
	if _, err := os.Stat(filepath.Join(dir, report.File)); err != nil {
		t.Error(err)
	}
}

// All that is missing is said, once each, with the experiments that need it.
func TestAllThatIsMissingIsSaid(t *testing.T) {
	needs := func(name string, lacks ...string) experiment.Experiment {
		e := measured(name)
		e.Needs = func(experiment.Options) (missing []error) {
			for _, l := range lacks {
				missing = append(missing, errors.New(l))
			}
			return missing
		}
		return e
	}
	_, stderr, err := bare(t, []experiment.Experiment{needs("first", "no cgroups", "not root"), needs("second", "not root"), measured("third")}, "all")
	if !strings.Contains(stderr, "missing on this machine:\n  first: no cgroups\n  first, second: not root\n") {
		t.Error(stderr)
	}
	if err == nil || err.Error() != "not measured, because of what is missing: first, second" {
		t.Error(err)
	}
}

// What an experiment measured before it failed is in the report, and the command fails.
func TestWhatWasMeasuredBeforeAFailureIsReported(t *testing.T) {
	half := experiment.Experiment{Name: "half", Measure: func(_ context.Context, o experiment.Options) error {
		r := bench.Record{Name: "half.figure", Unit: "ns", Value: 1, Target: bench.Goal(2), Better: bench.Lower, Raw: map[string]float64{}}
		r.Repeated(3, 10)
		return errors.Join(o.Done(r), errors.New("it broke"))
	}}
	dir := filepath.Join(t.TempDir(), "out")
	stdout, _, err := bare(t, []experiment.Experiment{half}, "--report", dir, "half")
	if err == nil || !strings.Contains(err.Error(), "it broke") || !strings.Contains(stdout, "the experiment failed after 3 of 10 repeats") {
		t.Errorf("%v\n%s", err, stdout)
	}
	page, err := os.ReadFile(filepath.Join(dir, report.File))
	if err != nil || !strings.Contains(string(page), "the experiment failed after 3 of 10 repeats") {
		t.Error(err)
	}
}

func TestWithoutAnyExperimentThereIsNoReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	_, _, err := bare(t, []experiment.Experiment{measured(experiment.Tail)}, "--report", dir, experiment.Tail)
	if err == nil || err.Error() != "not measured, because of what is missing: tail" {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a report without measurements: %v", err)
	}
}
