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
	if err == nil || !strings.Contains(err.Error(), "no memcached here") || !strings.Contains(err.Error(), "experiment second: it broke") {
		t.Errorf("%v", err)
	}
	said := strings.Index(stderr, "left out: no memcached here; the others are measured\n")
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

func TestWithoutAnyExperimentThereIsNoReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	_, _, err := bare(t, []experiment.Experiment{measured(experiment.Tail)}, "--report", dir, experiment.Tail)
	if err == nil || err.Error() != "no memcached here" {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a report without measurements: %v", err)
	}
}
