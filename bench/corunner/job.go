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

// kind is a job: work is done a piece at a time, a fraction of a second each,
// and counted in the job's unit as far as that is possible.
type kind struct {
	// program must be on this machine; "" needs none.
	program string
	// prepare returns what does one piece.
	prepare func() (piece func(ctx context.Context, done *atomic.Uint64) error, err error)
	// lines says that its unit is a cache line, so that its work is its
	// memory traffic.
	lines bool
}

var kinds = map[string]kind{
	"m_jump":      {"", mjump, true},
	"compression": {"gzip", compression, false},
	"compiler":    {"gcc", compiler, false},
}

// Jobs are the names of all jobs.
func Jobs() []string { return slices.Sorted(maps.Keys(kinds)) }

// Known says whether there is such a job.
func Known(job string) bool { _, ok := kinds[job]; return ok }

// Missing says what a job lacks on this machine; nil if nothing.
func Missing(job string) error {
	k, ok := kinds[job]
	if !ok {
		return fmt.Errorf("there is no job %q: expected one of %s", job, strings.Join(Jobs(), ", "))
	}
	if k.program == "" {
		return nil
	}
	if _, err := exec.LookPath(k.program); err != nil {
		return fmt.Errorf("the job %s runs %s: %w: install it: apt-get install %[2]s", job, k.program, err)
	}
	return nil
}

// Run is the job's process. It works while the last byte that came in is '+',
// and ends with the input.
func Run(ctx context.Context, job string, in io.Reader) error {
	if err := Missing(job); err != nil {
		return err
	}
	memory, err := mapWork(fdWork)
	if err != nil {
		return fmt.Errorf("job %s: started by nobody who counts its work: %w", job, err)
	}
	piece, err := kinds[job].prepare()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	words := make(chan byte)
	go func() {
		defer end() // in the midst of a piece, too
		defer close(words)
		var word [1]byte
		for {
			if _, err := in.Read(word[:]); err != nil {
				return
			}
			words <- word[0]
		}
	}()
	for on := false; ; {
		if !on {
			resting(memory).Store(1)
			word, more := <-words
			if !more {
				return nil
			}
			on = word == '+'
			continue
		}
		if err := piece(ctx, counter(memory)); err != nil && ctx.Err() == nil {
			return fmt.Errorf("job %s: %w", job, err)
		}
		select {
		case word, more := <-words:
			if !more {
				return nil
			}
			on = word == '+'
		default:
		}
	}
}

// command makes a piece of work that is one run of a program on one input.
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

// feed counts the bytes that the program has taken.
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
