// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/vlibos/vlibos/bench/tail"
	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/throttle/model"
)

// Dom0RequestsArg is the argument that makes this program, in the lab, call
// [Dom0Requests]. The number of requests follows.
const Dom0RequestsArg = "requests-dom0"

// Dom0Requests runs in Dom0, on the task's CPU, with memcached on the other. It writes
// to out, as JSON, the turns on the bus that memcached's CPU takes for each request, with
// what the kernel does for it there.
func Dom0Requests(ctx context.Context, n int, out io.Writer) (err error) {
	if err := exec.CommandContext(ctx, "ip", "link", "set", "lo", "up").Run(); err != nil {
		return fmt.Errorf("loopback interface: %w", err)
	}
	bus, err := model.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bus.Close()) }()
	turns, err := tail.Program{Path: "/usr/bin/memcached"}.Each(ctx, batchCPU, n,
		func() error { return bus.SetService(recordedTurn) },
		func(int) (uint64, error) {
			c, err := bus.Read(batchCPU)
			return c.Requests, err
		})
	err = errors.Join(err, bus.SetService(0))
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(turns)
}

// recordedTurn is short: the number of turns does not depend on it.
const recordedTurn = 1000

// Requests boots the lab and returns the turns on the memory bus that memcached in
// Dom0 takes for each of n requests, which are made one after the other.
func Requests(ctx context.Context, o Options, n int) (turns []uint64, err error) {
	_, err = o.run(ctx, lab.Config{
		Args:      []string{"taskset", "-c", fmt.Sprint(taskCPU), self, Dom0RequestsArg, fmt.Sprint(n)},
		Dom0VCPUs: 2, Dom0Packages: []string{"memcached"},
	}, &turns)
	return turns, err
}
