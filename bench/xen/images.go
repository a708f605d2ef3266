// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	vchanprogram "github.com/vlibos/vlibos/bench/vchan"
	"github.com/vlibos/vlibos/lab"
)

// Paths of programs in the images.
const (
	self         = "/usr/lib/vlibbench/vlibbench"
	vchanProgram = "/usr/lib/vlibbench/vchan"
	taskProgram  = "/usr/lib/vlibbench/task"
	vlibServer   = "/usr/lib/vlibbench/vlib-server"
	plugProgram  = "/usr/lib/vlibbench/plug"
)

// vchanPath is where the two sides of libxenvchan meet. The guest's path is
// relative to its own home.
const vchanPath = "data/vlibbench/vchan"

// startServers starts the DomU's servers: vlib-server as users run it,
// libxenvchan's and TCP's.
const startServers = "#!/bin/sh\n" +
	self + " " + EchoArg + " &\n" +
	vchanProgram + " serve " + vchanPath + " &\n" +
	"exec " + vlibServer + " --max-run-time 0 --worker /usr/bin/vlib-worker\n"

// images is the contents of the images of Dom0 and the DomUs, and the folder in
// which some of it was made.
type images struct {
	dir        string
	dom0, domu []lab.File
}

func (i images) remove() error { return os.RemoveAll(i.dir) }

func (o Options) images(ctx context.Context) (_ images, err error) {
	dir, err := os.MkdirTemp("", "vlibbench-")
	if err != nil {
		return images{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	vchan, err := vchanprogram.Build(ctx, dir)
	if err != nil {
		return images{}, err
	}
	task, err := buildTask(ctx, dir)
	if err != nil {
		return images{}, err
	}
	start := filepath.Join(dir, "start")
	if err := os.WriteFile(start, []byte(startServers), 0o755); err != nil {
		return images{}, err
	}
	server := filepath.Join(filepath.Dir(o.Self), "vlib-server")
	if _, err := os.Stat(server); err != nil {
		return images{}, fmt.Errorf("vlib-server is missing: build it with `make build`: %w", err)
	}
	both := []lab.File{{Host: o.Self, Guest: self}, {Host: vchan, Guest: vchanProgram}}
	return images{
		dir:  dir,
		dom0: both,
		domu: append(both[:len(both):len(both)],
			lab.File{Host: task, Guest: taskProgram}, lab.File{Host: server, Guest: vlibServer},
			lab.File{Host: start, Guest: "/usr/bin/vlib-server"}), // which the lab starts
	}, nil
}
