// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// services serves the built-in function of that name.
func (s *Server) services(c *vlibcall.Call) error {
	b, err := json.Marshal(s.info())
	if err != nil {
		return err
	}
	return c.Reply(b)
}

func (s *Server) info() builtin.Info {
	info := builtin.Info{
		Name: s.opts.Name, Version: s.opts.Version, Revision: transport.Revision,
		Transport: s.opts.Transport, Offered: s.opts.Transports, Port: uint32(s.opts.Port),
		Libraries: builtin.Libraries{
			AnySoname:   !s.opts.Libraries.Closed,
			Sonames:     s.opts.Libraries.Sonames,
			Directories: s.opts.Libraries.Directories,
		},
		Worker: builtin.Worker{Path: s.opts.Worker, Running: s.pool.running()},
		Limits: builtin.Limits{
			MaxRunTimeMS: s.opts.MaxRunTime.Milliseconds(), MaxOutput: s.opts.MaxOutput,
			MaxWorkers: s.opts.MaxWorkers, WorkerSize: workerSize,
		},
	}
	if _, err := exec.LookPath(s.opts.Worker); err != nil {
		info.Worker.Problem = fmt.Sprintf("%v: libraries cannot be called", err)
	}
	s.calls.Functions(func(library, function string) {
		info.Functions = append(info.Functions, builtin.Function{Library: library, Function: function})
	})
	slices.SortFunc(info.Functions, func(a, b builtin.Function) int {
		return cmp.Or(cmp.Compare(a.Library, b.Library), cmp.Compare(a.Function, b.Function))
	})
	return info
}
