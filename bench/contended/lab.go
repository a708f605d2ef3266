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
	"strings"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/lab"
)

// self is the path of this program in Dom0's image.
const self = "/usr/lib/vlibbench/vlibbench"

// Options are those of a run.
type Options struct {
	Experiment
	// Self is this program's path; [Dom0Arg] makes it call [Dom0].
	Self string
	// Progress is called with the name of each stage. Log gets the messages
	// of the lab's setup, each measurement, and Dom0's errors.
	Progress func(stage string)
	Log      io.Writer
}

// Run boots the lab once and returns the records. With an error it returns those of
// what was measured before.
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
	args := ""
	if o.Fits {
		args = "psr=cat"
	}
	result, err := lab.Run(ctx, lab.Config{
		Processor: o.Processor, XenArgs: args,
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
	var failed error
	if result.Status != 0 {
		failed = fmt.Errorf("the measuring program in Dom0 exited with status %d", result.Status)
	}
	var s Samples
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return nil, errors.Join(failed, fmt.Errorf("the measuring program's output: %w", err))
	}
	machine := "Xen " + result.Versions.Xen + ", Linux " + result.Versions.Dom0 + ", " + result.Versions.QEMU +
		", contended, " + strings.TrimPrefix(o.Processor+", ", ", ") + "on " + bench.Machine()
	records, err = o.records(s, load, machine)
	return records, errors.Join(failed, err)
}
