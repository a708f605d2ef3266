// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/internal/clock"
)

const (
	// lookEvery is how often channels are checked; askEvery is how often the
	// host is asked, which costs more.
	lookEvery = 250 * time.Millisecond
	askEvery  = time.Second
	// restartTime limits a restart command.
	restartTime = time.Minute
	// restartWords is how much of its output is logged, in bytes.
	restartWords = 2 << 10
)

// guard is a domain that is watched.
type guard struct {
	policy.Wedging
	wedge   policy.Wedge
	running bool // the restart command
}

// others is the host's last answer about calls that did not come through the
// gateway.
type others struct {
	asked   time.Time
	stuck   []string
	problem string
}

// watch sets the domains to watch: those of the rules, and those named. It
// keeps the state of a domain. The caller holds g.mu.
func (g *Gateway) watch(named []policy.Wedging) {
	all := slices.Clone(named)
	for what := range g.targets {
		if !slices.ContainsFunc(all, func(w policy.Wedging) bool { return w.Domain == what.Domain }) {
			all = append(all, policy.Wedging{Domain: what.Domain, After: policy.WedgedAfter})
		}
	}
	was := g.guards
	g.guards = make(map[string]*guard, len(all))
	for _, w := range all {
		gu := was[w.Domain]
		if gu == nil {
			gu = new(guard)
		}
		gu.Wedging = w
		gu.wedge.After, gu.wedge.Restarts = w.After, len(w.Restart) > 0
		g.guards[w.Domain] = gu
	}
}

// Run watches the vLib OSes, and the memory of closed channels that clients
// have, until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	var restarts sync.WaitGroup
	defer restarts.Wait()
	clock.Every(ctx, lookEvery, func() { g.look(ctx, &restarts) })
	return nil
}

func (g *Gateway) look(ctx context.Context, restarts *sync.WaitGroup) {
	g.quota.look()
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	stuck := make(map[string]bool)
	for _, t := range g.targets {
		if t.ways.stuck(now) {
			stuck[t.Domain] = true
		}
	}
	g.ask(ctx, now)
	for name, gu := range g.guards {
		if gu.running {
			continue // the domain restarts
		}
		g.judge(ctx, gu, now, stuck[name] || slices.Contains(g.others.stuck, name), restarts)
	}
}

// ask asks the host about all calls, if it is due.
func (g *Gateway) ask(ctx context.Context, now time.Time) {
	o := &g.others
	if g.o.Stuck == nil || now.Sub(o.asked) < askEvery {
		return
	}
	stuck, err := g.o.Stuck(ctx, slices.Sorted(maps.Keys(g.guards)))
	if ctx.Err() != nil {
		return
	}
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != "" && problem != o.problem {
		g.o.Log.Warn("cannot find out which servers hang", "error", err)
	}
	*o = others{now, stuck, problem}
}

func (g *Gateway) judge(ctx context.Context, gu *guard, now time.Time, stuck bool, restarts *sync.WaitGroup) {
	switch gu.wedge.Look(now, stuck) {
	case policy.Nothing:
	case policy.Back:
		g.o.Log.Info("a vLib OS is no longer wedged", "domain", gu.Domain)
	case policy.Found:
		args := []any{"domain", gu.Domain, "since", gu.wedge.Since.Format(time.RFC3339)}
		if gu.wedge.Restarts {
			args = append(args, "no restart before", gu.wedge.Next().Format(time.RFC3339))
		}
		g.o.Log.Warn("a vLib OS is wedged: a call was given up, and its server has not come back", args...)
	case policy.Restart:
		g.o.Log.Warn("a vLib OS is wedged: a call was given up, and its server has not come back; it is restarted",
			"domain", gu.Domain, "since", gu.wedge.Since.Format(time.RFC3339), "command", fmt.Sprintf("%q", gu.Restart))
		gu.running = true
		domain, command := gu.Domain, gu.Restart
		restarts.Go(func() {
			// The end of the daemon waits: half a restart would be worse.
			output, err := restart(context.WithoutCancel(ctx), command)
			if err != nil {
				g.o.Log.Error("the restart command failed", "domain", domain, "error", err, "output", output)
			} else {
				g.o.Log.Info("the restart command is done", "domain", domain, "output", output)
			}
			g.mu.Lock()
			gu.running = false
			g.mu.Unlock()
		})
	}
}

// restart runs the command, without a shell, for a limited time. It does not
// wait for background processes of the command.
func restart(ctx context.Context, command []string) (output string, err error) {
	ctx, cancel := context.WithTimeout(ctx, restartTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	words := new(firstWords)
	cmd.Stdout, cmd.Stderr = words, words
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case errors.Is(err, exec.ErrWaitDelay):
		err = nil
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("it was killed after %v: %w", restartTime, err)
	}
	return words.String(), err
}

// firstWords stores the beginning of its input.
type firstWords struct{ b bytes.Buffer }

func (w *firstWords) Write(b []byte) (int, error) {
	w.b.Write(b[:min(len(b), restartWords-w.b.Len())])
	return len(b), nil
}

func (w *firstWords) String() string { return w.b.String() }
