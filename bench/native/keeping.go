// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/dom0/host"
	keeper "github.com/vlibos/vlibos/dom0/host/native"
)

// keeping has the process that keeps reservations, and the callee.
type keeping struct {
	dir    string
	domain string // the callee's name
	keeper *exec.Cmd
	to     io.WriteCloser
	from   *bufio.Reader
	callee *exec.Cmd
	end    io.WriteCloser // ends the callee
}

// startKeeper starts both processes. It returns nil without an error if there
// are no cgroups.
func (c *client) startKeeper(o Options) (_ *keeping, err error) {
	k := &keeping{dir: c.dir, domain: fmt.Sprintf("vlibbench-%d", os.Getpid())}
	k.keeper = o.Self("keeper", c.dir)
	if k.to, err = k.keeper.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := k.keeper.StdoutPipe()
	if err != nil {
		return nil, err
	}
	k.from = bufio.NewReader(out)
	if err := k.keeper.Start(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	if answer, err := k.answer(); err != nil || answer == "none" {
		return nil, errors.Join(err, k.close())
	}
	dir := filepath.Join(c.dir, k.domain)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	self, err := os.Executable() // the shell has another self
	if err != nil {
		return nil, err
	}
	peer := o.Self(append(o.PeerArgs, dir)...)
	// The shell is in its cgroup before the callee listens.
	k.callee = exec.Command("sh", append([]string{"-c", `read line; exec "$0" "$@"`, self}, peer.Args[1:]...)...)
	k.callee.Env, k.callee.Stderr, k.callee.ExtraFiles = peer.Env, os.Stderr, c.shared.files()
	if k.end, err = k.callee.StdinPipe(); err != nil {
		return nil, err
	}
	heard, err := k.callee.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := bench.StartOn(k.callee, o.PeerCPU); err != nil {
		return nil, err
	}
	if err := k.ask("create", k.domain, k.callee.Process.Pid); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintln(k.end); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(heard).ReadString('\n'); err != nil {
		return nil, fmt.Errorf("callee: %q: %w", line, err)
	}
	return k, nil
}

func (k *keeping) close() error {
	var errs []error
	if k.end != nil && k.callee.Process != nil {
		errs = append(errs, k.end.Close(), k.callee.Wait())
	}
	errs = append(errs, k.to.Close(), k.keeper.Wait())
	return errors.Join(errs...)
}

func (k *keeping) say(words ...any) (string, error) {
	if _, err := fmt.Fprintln(k.to, words...); err != nil {
		return "", err
	}
	return k.answer()
}

func (k *keeping) ask(words ...any) error {
	_, err := k.say(words...)
	return err
}

func (k *keeping) answer() (string, error) {
	line, err := k.from.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the keeper is gone: %w", err)
	}
	line = strings.TrimSpace(line)
	if text, failed := strings.CutPrefix(line, "error "); failed {
		return "", errors.New(text)
	}
	return line, nil
}

// Keeper is the process that keeps reservations, of servers below dir. It reads
// commands, one a line, and answers each with one line. self starts its guards.
func Keeper(ctx context.Context, dir string, self Command, in io.Reader, out io.Writer) (err error) {
	runtime.GOMAXPROCS(max(4, runtime.NumCPU())) // the native host requires it
	// A collection also stops the keeper's thread, for as long as the other
	// threads wait for a CPU. The heap is small, so collections can be rare.
	debug.SetGCPercent(1000)
	var mu sync.Mutex
	var over []time.Duration
	p, err := keeper.Open(keeper.Options{
		Servers:  dir,
		Guard:    self("guard", keeper.DefaultParent).Args,
		Depleted: func(_ uint32, by time.Duration) { mu.Lock(); defer mu.Unlock(); over = append(over, by) },
	})
	if errors.Is(err, host.ErrNotHere) || errors.Is(err, host.ErrNotAllowed) {
		_, err = fmt.Fprintln(out, "none")
		return err
	}
	if err != nil {
		return err
	}
	made := ""
	defer func() {
		if made != "" {
			err = errors.Join(err, p.Remove(context.WithoutCancel(ctx), made))
		}
		err = errors.Join(err, p.Close())
	}()
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	renewed := make(chan error)
	go func() { renewed <- renew(ctx, p) }()
	defer func() { stop(); err = errors.Join(err, <-renewed) }()
	for commands := bufio.NewScanner(in); commands.Scan(); {
		answer, err := "done", error(nil)
		var r host.Reservation
		var name string
		var pid int
		switch command, rest, _ := strings.Cut(commands.Text(), " "); command {
		case "create":
			if _, err = fmt.Sscan(rest, &name, &pid); err == nil {
				err = p.Create(name, pid)
			}
			if err == nil {
				made = name
			}
		case "reserve":
			if _, err = fmt.Sscan(rest, &r.ID, &pid, &r.Budget, &r.Period, &name); err == nil {
				r.Threads = &host.Members{PID: pid}
				r.Callees = []host.Callee{{Domain: host.Domain{ID: name, UUID: name, Name: name, CPUs: []int{0}}}}
				err = p.Reserve(ctx, r)
			}
			if err == nil {
				err = p.Renew(lease)
			}
		case "unreserve":
			if _, err = fmt.Sscan(rest, &r.ID); err == nil {
				err = p.Unreserve(ctx, host.Reservation{Task: r.Task, Holder: host.Holder{Threads: new(host.Members)}})
			}
		case "overruns":
			mu.Lock()
			answer = strings.Trim(fmt.Sprint(nanoseconds(over)), "[]")
			mu.Unlock()
		case "switches":
			answer, err = switches()
		default:
			err = fmt.Errorf("unknown command %q", command)
		}
		if err != nil {
			answer = "error " + err.Error()
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return nil
}

// lease is as long as the daemon's.
const lease = 2 * time.Second

// renew renews the lease as often as the daemon does.
func renew(ctx context.Context, p *keeper.Host) error {
	for tick := time.NewTicker(lease / 4); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
			if err := p.Renew(lease); err != nil && !errors.Is(err, host.ErrLease) {
				return err
			}
		}
	}
}

func nanoseconds(all []time.Duration) []int64 {
	n := make([]int64, len(all))
	for i, d := range all {
		n[i] = int64(d)
	}
	return n
}

// switches returns how often threads of this process have been woken, which is
// how often they slept.
func switches() (string, error) {
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return "", err
	}
	sum := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			var n int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
				sum += n
			}
		}
	}
	return fmt.Sprint(sum), nil
}
