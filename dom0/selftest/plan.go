// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/atomicfile"
)

// Name is the guard's; see [Guard].
const Name = "selftest"

// plan is what a part makes, in a file of its own folder. Each thing is written to
// it before it is made, so that any process that reads the file can undo it.
type plan struct {
	Dir string `json:"-"`
	// Parent is the cgroup of the native domains; empty: there are none.
	Parent string `json:"parent,omitempty"`
	// Domains are the UUIDs of Xen's domains: other domains may have their names.
	Domains []string `json:"domains,omitempty"`
	// Master is the socket of a master that may have reservations for them; empty: none
	// has, or it is one of the processes.
	Master string `json:"master,omitempty"`
	// Processes are other processes of the part.
	Processes []process `json:"processes,omitempty"`

	mu sync.Mutex
}

// process is one that no other can be mistaken for.
type process struct {
	PID     int    `json:"pid"`
	Started uint64 `json:"started"` // see [host.Start]
}

func planFile(dir string) string { return filepath.Join(dir, "plan.json") }

// newPlan makes the folder. It is short: it contains sockets.
func newPlan(p *plan) (*plan, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, err
	}
	q := &plan{Dir: dir, Parent: p.Parent, Master: p.Master}
	if err := q.save(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return q, nil
}

func (p *plan) save() error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return atomicfile.Write(planFile(p.Dir), text, 0o600)
}

// xen adds a domain of Xen that is about to be made.
func (p *plan) xen(uuid string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Domains = append(p.Domains, uuid)
	return p.save()
}

// process adds a process of this one's, which therefore still has its number.
func (p *plan) process(pid int) error {
	started, err := host.Start(host.Members{PID: pid})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Processes = append(p.Processes, process{pid, started})
	return p.save()
}

// Undo ends and removes all that is in the plan, except its folder. It ignores what
// is gone, and can be repeated.
func (p *plan) Undo() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for i := len(p.Processes) - 1; i >= 0; i-- {
		errs = append(errs, p.Processes[i].end())
	}
	if p.Parent != "" {
		errs = append(errs, removeGroups(p.Parent))
	}
	if len(p.Domains) > 0 {
		errs = append(errs, p.release(), destroy(p.Domains))
	}
	return errors.Join(errs...)
}

// release ends the reservations of the domains, for which a master would wait.
func (p *plan) release() error {
	if p.Master == "" {
		return nil
	}
	c := client.New(p.Master)
	defer c.Close()
	var errs []error
	for _, uuid := range p.Domains {
		_, err := c.Release(context.Background(), uuid)
		if !errors.Is(err, api.ErrNotAdopted) && !errors.Is(err, api.ErrNoMaster) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// end asks a process to end, which lets a master restore what it changed, and then
// kills it.
func (r process) end() error {
	is := func() bool {
		started, err := host.Start(host.Members{PID: r.PID})
		return err == nil && started == r.Started // neither gone nor a zombie
	}
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for wait := 0; is(); wait++ {
			if wait == 0 {
				if err := unix.Kill(r.PID, signal); err != nil && err != unix.ESRCH {
					return fmt.Errorf("process %d: %w", r.PID, err)
				}
			}
			if wait == 100 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if is() {
		return fmt.Errorf("process %d does not end", r.PID)
	}
	return nil
}

// Guard is all that the guard's process does when the self-test does not renew its
// lease, as [keeper.Guard] says: it undoes the plan in a folder.
func Guard(daemon io.ReadWriter, dir string) error {
	lock, err := keeper.Share(dir)
	if err != nil {
		return err
	}
	return keeper.Guard(daemon, func(_, dead bool, _ string) error {
		p, err := readPlan(dir)
		if err != nil {
			return err
		}
		err = p.Undo()
		if err == nil && dead {
			err = os.RemoveAll(dir)
		}
		return err
	}, lock)
}

func readPlan(dir string) (*plan, error) {
	text, err := os.ReadFile(planFile(dir))
	if err != nil {
		return nil, err
	}
	p := &plan{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%s: %w", planFile(dir), err)
	}
	p.Dir = dir
	return p, p.check()
}

// check refuses a plan that no self-test writes: what it names is removed.
func (p *plan) check() error {
	if p.Parent != "" && !ours(p.Parent) {
		return fmt.Errorf("%s: cgroup %.80q is not a self-test's", planFile(p.Dir), p.Parent)
	}
	for _, r := range p.Processes {
		if r.PID <= 1 {
			return fmt.Errorf("%s: process %d is not a self-test's", planFile(p.Dir), r.PID)
		}
	}
	return nil
}

const prefix = "vlibos-selftest-"

// ours reports whether a name is one that self-tests give: the prefix and a number.
func ours(name string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	_, err := strconv.ParseUint(digits, 16, 64)
	return ok && err == nil
}
