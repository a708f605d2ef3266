// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/internal/cgroup"
)

const (
	// before is an attribute of a weight file: what the cgroup had before this
	// package set anything.
	before cgroup.Attribute = "vlibos.before"
	// stopped is an attribute of the file by which a cgroup is stopped: this
	// package has stopped it.
	stopped cgroup.Attribute = "vlibos.stopped"
)

// settings are a cgroup's weight among its siblings, in the units of its
// version, and whether it is idle: it then runs after all siblings that are not
// idle, and has no weight of its own.
type settings struct {
	weight int
	idle   bool
}

// same reports whether the kernel treats both the same way.
func (s settings) same(o settings) bool { return s.idle == o.idle && (s.idle || s.weight == o.weight) }

// recorded reads what a cgroup had; ok reports whether something was set.
func (d *dial) recorded() (had settings, ok bool, err error) {
	text, ok, err := before.Read(d.weight)
	if err != nil || !ok {
		return had, false, err
	}
	if n, err := fmt.Sscanf(text, "%d %t", &had.weight, &had.idle); n != 2 {
		return had, false, fmt.Errorf("%s: attribute %s: %w: remove it with setfattr -x", d.weight.Name(), before, err)
	}
	return had, true, nil
}

// dial is a cgroup's weight and idleness.
type dial struct {
	version int
	weight  *os.File
	idle    *os.File // nil before Linux 5.15

	last settings // the last settings set here; zero: none
	had  settings // the settings recorded then
}

func openDial(dir string, version int) (d dial, err error) {
	d.version = version
	name := "cpu.shares"
	if version == 2 {
		name = "cpu.weight"
	}
	if d.weight, err = os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0); err != nil {
		return d, err
	}
	d.idle, err = os.OpenFile(filepath.Join(dir, "cpu.idle"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		err = errors.Join(err, d.weight.Close())
	}
	return d, err
}

func (d *dial) close() error {
	err := d.weight.Close()
	if d.idle != nil {
		err = errors.Join(err, d.idle.Close())
	}
	return err
}

// set makes the cgroup heavy, or idle. Its settings are recorded before, and
// again if another process has changed them since.
func (d *dial) set(to settings) error {
	now, err := d.read()
	if err != nil {
		return err
	}
	had, recorded, err := d.recorded()
	if err != nil {
		return err
	}
	switch begun := d.last != (settings{}); {
	case begun && !now.same(d.last), !begun && !recorded:
		had = now
	case !recorded: // the guard of an earlier process has just restored it
		had = d.had
	}
	if !recorded || had != d.had {
		if err := before.Write(d.weight, fmt.Sprintf("%d %t", had.weight, had.idle)); err != nil {
			return err
		}
	}
	if err := d.write(to); err != nil {
		return err
	}
	d.last, d.had = to, had
	return nil
}

// restore gives the cgroup the settings that it had, if this process or an
// earlier one changed them, unless another process has changed them since.
// forget removes the record; without it restore can be repeated.
func (d *dial) restore(forget bool) error {
	had, recorded, err := d.recorded()
	if err != nil || !recorded {
		return err
	}
	now, err := d.read()
	if err != nil {
		return err
	}
	if d.ours(now) {
		if err := d.write(had); err != nil {
			return err
		}
	}
	if forget {
		return before.Remove(d.weight)
	}
	return nil
}

// ours reports whether settings are some that this package sets.
func (d *dial) ours(s settings) bool {
	for _, w := range []weight{heaviest, lightest, parental} {
		if s.idle || s.weight == w.of(d.version) {
			return true
		}
	}
	return false
}

func (d *dial) read() (s settings, err error) {
	if s.weight, err = number(d.weight); err == nil && d.idle != nil {
		var idle int
		idle, err = number(d.idle)
		s.idle = idle != 0
	}
	return s, err
}

// write sets both in the order that the kernel takes: it refuses a weight of an
// idle cgroup.
func (d *dial) write(s settings) error {
	if d.idle != nil {
		if err := put(d.idle, 0); err != nil {
			return err
		}
	}
	switch {
	case s.idle && d.idle != nil:
		return put(d.idle, 1)
	case s.idle:
		return put(d.weight, lightest.of(d.version))
	}
	return put(d.weight, s.weight)
}

// number reads a file that holds one number.
func number(f *os.File) (int, error) {
	var b [32]byte
	n, err := f.ReadAt(b[:], 0)
	if n == 0 {
		return 0, err
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return v, nil
}

func put(f *os.File, v int) error {
	_, err := f.WriteAt(strconv.AppendInt(nil, int64(v), 10), 0)
	return err
}

// restoreAll gives the cgroups below a parent, and the parent, the weights that
// they had, but for the cgroups in use. It ignores a cgroup that is gone.
func restoreAll(dir string, version int, used func(name string) bool, forget bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if cgroup.Gone(err) {
			err = nil
		}
		return err
	}
	names := []string{""} // the parent
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	var errs []error
	for _, name := range names {
		if used(name) {
			continue
		}
		d, err := openDial(filepath.Join(dir, name), version)
		if err == nil {
			err = errors.Join(d.restore(forget), d.close())
		}
		if !cgroup.Gone(err) {
			errs = append(errs, explain(err))
		}
	}
	return errors.Join(errs...)
}
