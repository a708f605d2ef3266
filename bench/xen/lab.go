// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Options are those of a run.
type Options struct {
	// Self is this program's path; Dom0Arg makes it call [Dom0]. The
	// project's other programs are in the same folder.
	Self, Dom0Arg string
	// Progress is called with the name of each stage. Log gets the messages
	// of the lab's setup and Dom0's errors.
	Progress func(stage string)
	Log      io.Writer
}

// Run boots the lab and returns the records.
func Run(ctx context.Context, o Options) (records []bench.Record, err error) {
	images, err := o.images(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, images.remove()) }()
	s, machine, err := o.boot(ctx, images, lab.Config{Args: []string{self, o.Dom0Arg}, DomUs: 1})
	if err != nil {
		return nil, err
	}
	return s.records(machine)
}

// boot runs a command in Dom0 that writes Samples. It also returns the machine's
// description.
func (o Options) boot(ctx context.Context, images images, c lab.Config) (s Samples, machine string, err error) {
	machine, err = o.bootFor(ctx, images, c, &s)
	return s, machine, err
}

// bootFor runs a command in Dom0 that writes a value as JSON, and returns the
// machine's description.
func (o Options) bootFor(ctx context.Context, images images, c lab.Config, value any) (machine string, err error) {
	var out bytes.Buffer
	c.Mode = lab.Counted
	// Each domain has a CPU: on a shared one, a polling domain takes the other's time.
	c.PCPUs, c.Dom0VCPUs = max(c.PCPUs, 2), 1
	c.Add, c.DomUAdd = images.dom0, images.domu
	c.Stdout, c.Stderr, c.SetupLog, c.Progress = &out, o.Log, o.Log, o.Progress
	result, err := lab.Run(ctx, c)
	if err != nil {
		if failed := (*lab.Error)(nil); errors.As(err, &failed) {
			fmt.Fprint(o.Log, failed.Report())
		}
		return "", err
	}
	if result.Status != 0 {
		return "", fmt.Errorf("the measuring program in Dom0 exited with status %d", result.Status)
	}
	if err := json.Unmarshal(out.Bytes(), value); err != nil {
		return "", fmt.Errorf("the measuring program's output: %w", err)
	}
	return "Xen " + result.Versions.Xen + ", Linux " + result.Versions.Dom0 + ", " + result.Versions.QEMU + ", counted", nil
}

// records turns the samples into ratios to libxenvchan; a batch's is that of one call
// in it to a call on its own.
func (s Samples) records(machine string) ([]bench.Record, error) {
	for _, name := range []string{sampleVchan, sampleTCP, sampleBlock, sampleBatch, sampleAdaptive, sampleSession, sampleOpen, sampleIoctl, sampleXen} {
		if len(s[name]) == 0 {
			return nil, fmt.Errorf("there is no count of %s", name)
		}
	}
	base := bench.Quantile(s[sampleVchan], 0.5)
	record := func(name, sample string, target *float64) bench.Record {
		r := bench.Record{
			Name: name, Value: bench.Quantile(s[sample], 0.5) / base, Unit: "ratio",
			Target: target, Better: bench.Lower, Machine: machine,
			Raw: map[string]float64{"counts": float64(len(s[sample]))},
		}
		bench.Spread(r.Raw, sample+"_instructions", s[sample])
		bench.Spread(r.Raw, sampleVchan+"_instructions", s[sampleVchan])
		return r
	}
	batch := record("call.lab.batch", sampleBatch, bench.Goal(0.4))
	batch.Value = bench.Quantile(s[sampleBatch], 0.5) / transport.MaxInFlight / bench.Quantile(s[sampleBlock], 0.5)
	bench.Spread(batch.Raw, sampleBlock+"_instructions", s[sampleBlock])
	return []bench.Record{
		record("call.lab.block", sampleBlock, bench.Goal(0.95)),
		batch,
		record("call.lab.session", sampleSession, bench.Goal(0.05)),
		record("call.lab.adaptive", sampleAdaptive, nil),
		record("call.lab.tcp", sampleTCP, nil),
		record("call.lab.open", sampleOpen, nil),
		record("call.lab.null_ioctl", sampleIoctl, nil),
		record("call.lab.xen_hypercall", sampleXen, nil),
	}, nil
}
