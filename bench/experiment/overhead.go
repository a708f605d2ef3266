// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/native"
)

// calling is what the calling process is told, as JSON.
type calling struct {
	Repeats int
	Slot    time.Duration
	PeerCPU int
	Only    []string
}

func overhead(ctx context.Context, o Options) error {
	o.Progress("calls between two processes, and the alternatives")
	only := slices.DeleteFunc(slices.Clone(native.Parts), func(p string) bool { return p == native.Reserve })
	return Calls(ctx, pick(o.Effort, [3]int{2, 15, 40}), cmp.Or(o.Slot, 40*time.Millisecond), only, o.Done)
}

// Calls measures calls between two processes. Each is pinned to a CPU of its own
// from its first instruction, so that all its threads are.
func Calls(ctx context.Context, repeats int, slot time.Duration, only []string, done func(bench.Record) error) error {
	mine, peers, err := native.Cores()
	if err != nil {
		return err
	}
	arg, err := json.Marshal(calling{repeats, slot, peers, only})
	if err != nil {
		return err
	}
	var records []bench.Record
	noise, err := bench.Watch(ctx, func(ctx context.Context) (err error) {
		records, err = call(ctx, mine, string(arg))
		return err
	})
	for _, r := range records { // with an error, those of the parts before it
		if r.Unit != native.Allocations { // allocations do not depend on time
			r = noise.Note(r)
		}
		err = errors.Join(err, done(r))
	}
	return err
}

// patience limits the time between two figures. It is longer than the longest
// measurement on a busy machine.
const patience = 4 * time.Minute

func call(ctx context.Context, cpu int, arg string) (records []bench.Record, err error) {
	cmd := self("caller", arg)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with the called process
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := bench.StartOn(cmd, cpu); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	// On this signal a Go program prints its goroutines and ends.
	stuck := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGQUIT) })
	defer func() {
		err = errors.Join(err, cmd.Wait(), ctx.Err())
		if !stuck.Stop() {
			err = errors.Join(fmt.Errorf("no figure within %v: the goroutines of both processes are above", patience), err)
		}
	}()
	for lines := json.NewDecoder(out); ; {
		var r bench.Record
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			return records, nil
		} else if err != nil {
			return nil, fmt.Errorf("output of the calling process: %w", err)
		}
		records = append(records, r)
		stuck.Reset(patience)
	}
}

// caller is the calling process; it starts the called one.
func caller(ctx context.Context, arg string, out io.Writer) error {
	var c calling
	if err := json.Unmarshal([]byte(arg), &c); err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	return native.Client(ctx, native.Options{
		Repeats: c.Repeats, Slot: c.Slot, PeerCPU: c.PeerCPU, Only: c.Only, Self: self, PeerArgs: []string{"callee"},
	}, func(r bench.Record) error { return lines.Encode(r) })
}
