// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/lab"
)

// self is where this program is in Dom0's image.
const self = "/usr/lib/vlibbench/vlibbench"

// Options of a run.
type Options struct {
	Experiment
	// Self is this program, which [Dom0Arg] leads to [Dom0].
	Self string
	// Progress is called with what is done now, Log gets what setting the lab
	// up says, each measurement, and what goes wrong in Dom0.
	Progress func(stage string)
	Log      io.Writer
}

// Run boots the lab once and returns the records.
func Run(ctx context.Context, o Options) (records []bench.Record, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vlibbench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := mjump.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	experiment, err := json.Marshal(o.Experiment)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	jump := lab.File{Host: program, Guest: mjumpProgram}
	load := bench.Load()
	result, err := lab.Run(ctx, lab.Config{
		Args: []string{self, Dom0Arg, string(experiment)},
		Xen:  lab.VlibXen, Mode: lab.Contended, DomUs: 1,
		Add:     []lab.File{{Host: o.Self, Guest: self}, jump},
		DomUAdd: []lab.File{jump},
		Stdout:  &out, Stderr: o.Log, SetupLog: o.Log, Progress: o.Progress,
	})
	if err != nil {
		if failed := (*lab.Error)(nil); errors.As(err, &failed) {
			fmt.Fprint(o.Log, failed.Report())
		}
		return nil, err
	}
	if result.Status != 0 {
		return nil, fmt.Errorf("the measuring program in Dom0 ended with exit status %d", result.Status)
	}
	var s Samples
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return nil, fmt.Errorf("what the measuring program printed: %w", err)
	}
	machine := "Xen " + result.Versions.Xen + ", Linux " + result.Versions.Dom0 + ", " + result.Versions.QEMU +
		", contended, on " + bench.Machine()
	return o.records(s, load, machine)
}
