// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// Parent is the cgroup whose children are reservations' processes, by number.
const Parent = "vlibos-threads"

// origin is an attribute of the list of processes of a reservation's cgroup:
// the cgroup that the process came from, by its path in the tree.
const origin cgroup.Attribute = "vlibos.origin"

// before is an attribute of the same list: the policies that the threads had.
const before cgroup.Attribute = "vlibos.policies"

// group is a process and all processes it starts, in a cgroup.
type group struct {
	tree  cgroup.Tree
	dir   string
	file  string // the list of its threads
	meter *cgroup.Meter
	list  lister
}

func name(id uint32) string { return filepath.Join(Parent, strconv.FormatUint(uint64(id), 10)) }

// openGroup puts a process into the cgroup of a reservation. A process that
// resumes is there already, or has ended and left others there.
func openGroup(r host.Reservation) (*group, error) {
	trees, err := cgroup.Trees()
	if err != nil {
		return nil, err
	}
	if len(trees) == 0 {
		return nil, fmt.Errorf("threads on reservations are %w: %w is mounted: mount -t cgroup2 none /sys/fs/cgroup",
			host.ErrNotHere, cgroup.ErrNone)
	}
	var errs []error
	for _, tree := range trees {
		g := &group{tree: tree, dir: filepath.Join(tree.Root, name(r.ID))}
		if r.Resume {
			err = g.resume(r.ID)
		} else {
			err = g.enter(r)
		}
		if err == nil {
			return g, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (g *group) resume(id uint32) (err error) {
	if all, err := g.threads(); err != nil || len(all) == 0 {
		return fmt.Errorf("reservation %d: %w: %s is empty", id, host.ErrNoMembers, g.dir)
	}
	if err := idle(filepath.Dir(g.dir)); err != nil {
		return err
	}
	g.meter, err = g.tree.Meter(name(id))
	return err
}

// lister reads threads repeatedly without allocating: a real-time thread of a
// Go program that allocates may have to help with a garbage collection that
// waits for threads which it keeps from running.
type lister struct {
	file *os.File // of version 2, whose list is fresh at each read
	text []byte
	tids []int
}

func (l *lister) read(file string, version int) ([]int, error) {
	if l.text == nil {
		l.text, l.tids = make([]byte, 8*(MaxThreads+1)), make([]int, 0, 4*(MaxThreads+1))
	}
	f := l.file
	if f == nil {
		var err error
		if f, err = os.Open(file); err != nil {
			return nil, err
		}
		if version == 2 {
			l.file = f
		} else {
			defer f.Close()
		}
	}
	n := 0
	for n < len(l.text) {
		got, err := f.ReadAt(l.text[n:], int64(n))
		n += got
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	l.tids = cgroup.AppendNumbers(l.tids[:0], l.text[:n])
	return l.tids, nil
}

func (l *lister) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// idle makes a cgroup run only when no other wants the CPU: a thread in a
// cgroup below is in background only if the whole cgroup is. Real-time threads
// are above it. Kernels before 5.15, and trees without the CPU controller, have
// no such file.
func idle(dir string) error {
	if err := cgroup.Write(filepath.Join(dir, "cpu.idle"), "1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain(err)
	}
	return nil
}

func (g *group) enter(r host.Reservation) (err error) {
	if err := Check(*r.Threads); err != nil {
		return err
	}
	from, err := g.tree.Of(r.Threads.PID)
	if err != nil {
		return err
	}
	if strings.HasPrefix(from, "/"+Parent+"/") {
		return fmt.Errorf("%s: %w: it runs on reservation %s already", r.Threads, host.ErrNotAllowed, filepath.Base(from))
	}
	parent := filepath.Dir(g.dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return explain(err)
	}
	if err := idle(parent); err != nil {
		return err
	}
	if err := g.clear(); err != nil { // the rest of a reservation that is not known any more
		return err
	}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return explain(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.clear())
		}
	}()
	if err = g.cameFrom(from); err != nil {
		return explain(err)
	}
	if g.meter, err = g.tree.Meter(name(r.ID)); err != nil {
		return explain(err)
	}
	if err = cgroup.Write(filepath.Join(g.dir, "cgroup.procs"), strconv.Itoa(r.Threads.PID)); err != nil {
		return errors.Join(fmt.Errorf("%s into %s: %w", r.Threads, g.dir, explain(err)), g.meter.Close())
	}
	return nil
}

// remember and remembered are of those members that have a cgroup.
type recorder interface {
	remember(policies)
	remembered() policies
}

func (g *group) usage() (time.Duration, error) { return g.meter.Usage() }

func (g *group) threads() ([]int, error) {
	if g.file == "" {
		g.file = filepath.Join(g.dir, cgroup.ThreadList(g.tree.Version))
	}
	return g.list.read(g.file, g.tree.Version)
}

func (g *group) release() error { return g.clear() }
func (g *group) close() error   { return errors.Join(g.meter.Close(), g.list.close()) }

// patience bounds for how long processes that fork are followed.
const patience = time.Second

// cameFrom records the cgroup to move the process back to, by any process.
func (g *group) cameFrom(path string) error {
	f, err := os.Open(filepath.Join(g.dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	return errors.Join(origin.Write(f, path), f.Close())
}

// remember records the policies for a later master to restore. If they are too
// many for an attribute, only this process and its guard can restore them.
func (g *group) remember(had policies) {
	if f, err := os.Open(filepath.Join(g.dir, "cgroup.procs")); err == nil {
		_ = before.Write(f, had.note())
		_ = f.Close()
	}
}

// remembered returns the policies that an earlier master recorded.
func (g *group) remembered() policies {
	f, err := os.Open(filepath.Join(g.dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	defer f.Close()
	text, _, _ := before.Read(f) // without it threads become ordinary
	n, _ := readNote(text)
	return n.had
}

// back is the cgroup that the process came from; the root, if that is unknown.
func (g *group) back() string {
	f, err := os.Open(filepath.Join(g.dir, "cgroup.procs"))
	if err != nil {
		return "/"
	}
	defer f.Close()
	path, ok, err := origin.Read(f)
	if err != nil || !ok {
		return "/"
	}
	return path
}

// clear moves all processes back to where the first came from and removes the
// cgroup.
func (g *group) clear() error {
	to := g.back()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := unix.Rmdir(g.dir)
		if err == nil || err == unix.ENOENT {
			return nil
		}
		if err != unix.EBUSY || time.Now().After(end) {
			return &fs.PathError{Op: "rmdir", Path: g.dir, Err: err}
		}
		pids, err := cgroup.Processes(g.dir)
		if err != nil && !cgroup.Gone(err) {
			return err
		}
		for _, pid := range pids {
			word := strconv.Itoa(pid)
			err := cgroup.Write(filepath.Join(g.tree.Root, to, "cgroup.procs"), word)
			if err != nil && !errors.Is(err, unix.ESRCH) {
				err = cgroup.Write(filepath.Join(g.tree.Root, "cgroup.procs"), word) // its cgroup is gone
			}
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("process %d out of %s: %w", pid, g.dir, err)
			}
		}
	}
}

// explain adds what to do to the kernel's refusals.
func explain(err error) error {
	if cgroup.Denied(err) {
		return fmt.Errorf("%w: %w: run as root", host.ErrNotAllowed, err)
	}
	return err
}
