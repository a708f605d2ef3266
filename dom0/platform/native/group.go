// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vlibos/vlibos/internal/cgroup"
)

// weight is what a cgroup gets beside its siblings, in the units of either
// version.
type weight struct{ v1, v2 int }

var (
	standard = weight{v1: 1024, v2: 100}
	heaviest = weight{v1: 262144, v2: 10000}
	lightest = weight{v1: 2, v2: 1}
	// 19 times the standard: what is outside the parent keeps a twentieth.
	parental = weight{v1: 19 * 1024, v2: 1900}
)

// group is one cgroup with its files open, so that it is still the same cgroup
// when another takes its name. It is for one goroutine.
type group struct {
	dir        string // of the CPU controller
	version    int    // of that
	meter      *cgroup.Meter
	weightFile *os.File
	idleFile   *os.File // nil before Linux 5.15
	freezeFile *os.File // nil for the parent
	members    *members // nil for the parent
	freezer2   bool
	buf        [64]byte
}

// openGroup opens the child of the parent; name "" is the parent itself.
func openGroup(l layout, name string) (_ *group, err error) {
	g := &group{dir: filepath.Join(l.cpu.dir, name), version: l.cpu.version, freezer2: l.freezer.version == 2}
	shares := "cpu.shares"
	if g.version == 2 {
		shares = "cpu.weight"
	}
	defer func() {
		if err != nil {
			err = errors.Join(explain(err), g.close())
		}
	}()
	if g.meter, err = (cgroup.Tree{Version: l.usage.version, Root: l.usage.dir}).Meter(name); err != nil {
		return nil, err
	}
	if g.weightFile, err = os.OpenFile(filepath.Join(g.dir, shares), os.O_WRONLY, 0); err != nil {
		return nil, err
	}
	g.idleFile, err = os.OpenFile(filepath.Join(g.dir, "cpu.idle"), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && name != "" {
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
	for _, f := range []*os.File{g.weightFile, g.idleFile, g.freezeFile} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// usage is the CPU time that the cgroup has used since it was made.
func (g *group) usage() (time.Duration, error) { return g.meter.Usage() }

// setIdle lets the cgroup go after all its siblings that are not idle.
func (g *group) setIdle() error {
	if g.idleFile == nil {
		return g.setWeight(lightest)
	}
	return put(g.idleFile, 1)
}

// setWeight also ends being idle. The kernel takes no weight of an idle cgroup,
// so the order matters.
func (g *group) setWeight(w weight) error {
	if g.idleFile != nil {
		if err := put(g.idleFile, 0); err != nil {
			return err
		}
	}
	if g.version == 2 {
		return put(g.weightFile, w.v2)
	}
	return put(g.weightFile, w.v1)
}

// isFrozen reports whether the cgroup is stopped, or on the way to it.
func (g *group) isFrozen() (bool, error) {
	n, err := g.freezeFile.ReadAt(g.buf[:], 0)
	if n == 0 {
		return false, err
	}
	return string(bytes.TrimSpace(g.buf[:n])) != freezeWord(g.freezer2, false), nil
}

// setFrozen stops the cgroup's processes, each as it comes to a safe point, or
// lets them go on. It does not wait.
func (g *group) setFrozen(on bool) error {
	_, err := g.freezeFile.WriteAt([]byte(freezeWord(g.freezer2, on)), 0)
	return err
}

func put(f *os.File, v int) error {
	_, err := f.WriteAt(strconv.AppendInt(nil, int64(v), 10), 0)
	return err
}
