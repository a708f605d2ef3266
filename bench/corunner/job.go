// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
)

// kind is a kind of job. It works in pieces of a fraction of a second each, and
// counts its work in its own unit if it can.
type kind struct {
	// program must be installed on this machine; "" needs none.
	program string
	// prepare returns the function that does one piece.
	prepare func() (piece func(ctx context.Context, done *atomic.Uint64) error, err error)
	// lines says that the unit is a cache line, so that the work is also the
	// memory traffic.
	lines bool
}

var kinds = map[string]kind{
	"m_jump":      {"", mjump, true},
	"compression": {"gzip", compression, false},
	"compiler":    {"gcc", compiler, false},
}

// Jobs returns the names of all jobs, sorted.
func Jobs() []string { return slices.Sorted(maps.Keys(kinds)) }

// Known reports whether there is a job of this name.
func Known(job string) bool { _, ok := kinds[job]; return ok }

// Missing returns an error that says what a job needs and this machine lacks,
// or nil.
func Missing(job string) error {
	k, ok := kinds[job]
	if !ok {
		return fmt.Errorf("unknown job %q: want one of %s", job, strings.Join(Jobs(), ", "))
	}
	if k.program == "" {
		return nil
	}
	if _, err := exec.LookPath(k.program); err != nil {
		return fmt.Errorf("the job %s needs %s: %w (apt-get install %[2]s)", job, k.program, err)
	}
	return nil
}

// Run is the job's process. It prepares itself, waits for the first byte of its
// input, and then works until its input ends.
func Run(ctx context.Context, job string, in io.Reader) error {
	if err := Missing(job); err != nil {
		return err
	}
	memory, err := mapCounts(fdCounts)
	if err != nil {
		return fmt.Errorf("job %s: it was not started by an experiment: %w", job, err)
	}
	piece, err := kinds[job].prepare()
	if err != nil {
		return err
	}
	ready(memory).Store(1)
	var word [1]byte
	if _, err := io.ReadFull(in, word[:]); err != nil {
		return nil // the experiment has ended
	}
	ctx, end := context.WithCancel(ctx)
	go func() {
		defer end() // also during a piece
		_, _ = io.Copy(io.Discard, in)
	}()
	for ctx.Err() == nil {
		if err := piece(ctx, count(memory)); err != nil && ctx.Err() == nil {
			return fmt.Errorf("job %s: %w", job, err)
		}
	}
	return nil
}

// command returns a piece of work that runs a program once on input.
func command(input []byte, name string, args ...string) func(context.Context, *atomic.Uint64) error {
	return func(ctx context.Context, done *atomic.Uint64) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stdin = newFeed(input, done)
		var said strings.Builder
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil {
			return errors.Join(err, errors.New(said.String()))
		}
		return nil
	}
}

// feed is a program's input; it counts the bytes that the program has read.
type feed struct {
	rest []byte
	done *atomic.Uint64
}

func newFeed(input []byte, done *atomic.Uint64) *feed { return &feed{input, done} }

func (f *feed) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	f.done.Add(uint64(n))
	return n, nil
}
