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
	jump := lab.File{Host: program, Guest: mjumpProgram}
	load := bench.Load()
	args := ""
	if o.Fits {
		args = "psr=cat"
	}
	var s Samples
	result, failed := o.run(ctx, lab.Config{
		Processor: o.Processor, XenArgs: args,
		Args: []string{self, Dom0Arg, string(experiment)},
		Xen:  lab.VlibXen, DomUs: 1,
		Add:     []lab.File{jump},
		DomUAdd: []lab.File{jump},
	}, &s)
	if s == nil {
		return nil, failed
	}
	machine := "Xen " + result.Versions.Xen + ", Linux " + result.Versions.Dom0 + ", " + result.Versions.QEMU +
		", contended, " + strings.TrimPrefix(o.Processor+", ", ", ") + "on " + bench.Machine()
	records, err = o.records(s, load, machine)
	return records, errors.Join(failed, err)
}

// run runs this program in Dom0 of a lab in contended mode, and reads what it writes as
// JSON into value, also if it fails afterwards.
func (o Options) run(ctx context.Context, c lab.Config, value any) (result lab.Result, err error) {
	var out bytes.Buffer
	c.Mode, c.Add = lab.Contended, append(c.Add, lab.File{Host: o.Self, Guest: self})
	c.Stdout, c.Stderr, c.SetupLog, c.Progress = &out, o.Log, o.Log, o.Progress
	if result, err = lab.Run(ctx, c); err != nil {
		if failed := (*lab.Error)(nil); errors.As(err, &failed) {
			fmt.Fprint(o.Log, failed.Report())
		}
		return result, err
	}
	if result.Status != 0 {
		err = fmt.Errorf("the measuring program in Dom0 exited with status %d", result.Status)
	}
	if wrong := json.Unmarshal(out.Bytes(), value); wrong != nil {
		err = errors.Join(err, fmt.Errorf("the measuring program's output: %w", wrong))
	}
	return result, err
}
