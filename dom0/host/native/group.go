// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/internal/cgroup"
)

// weight is a cgroup's weight among its siblings, in the units of either
// version.
type weight struct{ v1, v2 int }

var (
	heaviest = weight{v1: 262144, v2: 10000}
	lightest = weight{v1: 2, v2: 1}
	// 19 times the standard: tasks outside the parent keep a twentieth.
	parental = weight{v1: 19 * 1024, v2: 1900}
)

// of is the weight in the units of a version.
func (w weight) of(version int) int {
	if version == 2 {
		return w.v2
	}
	return w.v1
}

// group is one cgroup with its files open, so that it is the same cgroup even
// after another has taken its name. It is for one goroutine.
type group struct {
	dir        string // of the CPU controller
	version    int    // of that
	meter      *cgroup.Meter
	dial       dial
	freezeFile *os.File // nil for the parent
	members    *members // nil for the parent
	freezer2   bool
	realtime   []int // its threads that were made so
	buf        [64]byte
}

// openGroup opens the child of the parent; name "" is the parent itself.
func openGroup(l layout, name string) (_ *group, err error) {
	g := &group{dir: filepath.Join(l.cpu.dir, name), version: l.cpu.version, freezer2: l.freezer.version == 2}
	defer func() {
		if err != nil {
			err = errors.Join(explain(err), g.close())
		}
	}()
	if g.meter, err = (cgroup.Tree{Version: l.usage.version, Root: l.usage.dir}).Meter(name); err != nil {
		return nil, err
	}
	if g.dial, err = openDial(g.dir, g.version); err == nil && name != "" {
		g.members, err = openMembers(l.cpu, name)
	}
	if err == nil && name != "" {
		g.freezeFile, err = os.OpenFile(filepath.Join(l.freezer.dir, name, l.freezeControl()), os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (g *group) close() error {
	var errs []error
	if g.meter != nil {
		errs = append(errs, g.meter.Close())
	}
	if g.members != nil {
		errs = append(errs, g.members.close())
	}
	if g.dial.weight != nil {
		errs = append(errs, g.dial.close())
	}
	if g.freezeFile != nil {
		errs = append(errs, g.freezeFile.Close())
	}
	return errors.Join(errs...)
}

// usage is the CPU time that the cgroup has used since it was made.
func (g *group) usage() (time.Duration, error) { return g.meter.Usage() }

// setIdle makes the cgroup run after all its siblings that are not idle.
func (g *group) setIdle() error { return g.dial.set(settings{idle: true}) }

// setWeight also makes the cgroup not idle.
func (g *group) setWeight(w weight) error {
	return g.dial.set(settings{weight: w.of(g.version)})
}

// restore gives the cgroup the weight and the idleness that it had.
func (g *group) restore() error { return g.dial.restore(true) }

// isFrozen reports whether the cgroup is stopped, or is being stopped.
func (g *group) isFrozen() (bool, error) {
	n, err := g.freezeFile.ReadAt(g.buf[:], 0)
	if n == 0 {
		return false, err
	}
	return string(bytes.TrimSpace(g.buf[:n])) != freezeWord(g.freezer2, false), nil
}

// setFrozen stops the cgroup's processes, or resumes them. It does not wait.
func (g *group) setFrozen(on bool) error { return stop(g.freezeFile, g.freezer2, on) }
