// SPDX-License-Identifier: Apache-2.0

package counted

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vlibos/vlibos/bench"
	vchanprogram "github.com/vlibos/vlibos/bench/vchan"
	"github.com/vlibos/vlibos/lab"
)

// Options of a run.
type Options struct {
	// Self is this program, with the argument that leads it to [Dom0]. The
	// project's other programs are beside it.
	Self, Dom0Arg string
	// Progress is called with what is done now, Log gets what setting the lab
	// up says and what goes wrong in Dom0.
	Progress func(stage string)
	Log      io.Writer
}

// Programs in the images.
const (
	self         = "/usr/lib/vlibbench/vlibbench"
	vchanProgram = "/usr/lib/vlibbench/vchan"
	vlibServer   = "/usr/lib/vlibbench/vlib-server"
)

// vchanPath is where the two sides of libxenvchan meet: below the guest's own
// home when the guest names it.
const vchanPath = "data/vlibbench/vchan"

// startServers starts, in the DomU, both of the things that answer: the
// server as users run it, and libxenvchan's.
const startServers = "#!/bin/sh\n" +
	vchanProgram + " serve " + vchanPath + " &\n" +
	"exec " + vlibServer + " --worker /usr/bin/vlib-worker\n"

// Run boots the lab and returns the records.
func Run(ctx context.Context, o Options) (records []bench.Record, err error) {
	dir, err := os.MkdirTemp("", "vlibbench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := vchanprogram.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	start := filepath.Join(dir, "start")
	if err := os.WriteFile(start, []byte(startServers), 0o755); err != nil {
		return nil, err
	}
	server := filepath.Join(filepath.Dir(o.Self), "vlib-server")
	if _, err := os.Stat(server); err != nil {
		return nil, fmt.Errorf("the server to call is missing, build it with `make build`: %w", err)
	}
	var out bytes.Buffer
	result, err := lab.Run(ctx, lab.Config{
		Args: []string{self, o.Dom0Arg},
		Mode: lab.Counted,
		// A CPU each: on one, whoever polls would use up the other's time.
		PCPUs: 2, Dom0VCPUs: 1, DomUs: 1,
		Add: []lab.File{{Host: o.Self, Guest: self}, {Host: program, Guest: vchanProgram}},
		DomUAdd: []lab.File{
			{Host: server, Guest: vlibServer}, {Host: program, Guest: vchanProgram},
			{Host: start, Guest: "/usr/bin/vlib-server"}, // what the lab starts
		},
		Stdout: &out, Stderr: o.Log, SetupLog: o.Log, Progress: o.Progress,
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
	return s.records("Xen " + result.Versions.Xen + ", Linux " + result.Versions.Dom0 + ", " + result.Versions.QEMU + ", counted")
}

// records turns the samples into ratios to libxenvchan.
func (s Samples) records(machine string) ([]bench.Record, error) {
	for _, name := range []string{sampleVchan, sampleBlock, sampleAdaptive, sampleSession, sampleIoctl, sampleXen} {
		if len(s[name]) == 0 {
			return nil, fmt.Errorf("nothing was counted for %s", name)
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
	return []bench.Record{
		record("call.lab.block", sampleBlock, bench.Goal(1)),
		record("call.lab.session", sampleSession, bench.Goal(0.05)),
		record("call.lab.adaptive", sampleAdaptive, nil),
		record("call.lab.null_ioctl", sampleIoctl, nil),
		record("call.lab.xen_hypercall", sampleXen, nil),
	}, nil
}
