// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle/cache"
)

// Root is where the file system is mounted.
const Root = "/sys/fs/resctrl"

// Layout returns what can be allocated. Errors wrap [host.ErrNotHere] if there is
// nothing.
func Layout(root string) (cache.Layout, error) {
	if err := mounted(root); err != nil {
		return cache.Layout{}, fmt.Errorf("cache classes: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(root, "schemata"))
	if err != nil {
		return cache.Layout{}, err
	}
	var l cache.Layout
	for words := range strings.Lines(string(text)) {
		resource, values, ok := strings.Cut(strings.TrimSpace(words), ":")
		if !ok {
			continue
		}
		highest := uint64(0)
		for part := range strings.SplitSeq(values, ";") {
			_, value, _ := strings.Cut(part, "=")
			if v, err := strconv.ParseUint(value, 10, 64); err == nil {
				highest = max(highest, v)
			}
		}
		if err := add(&l, root, resource, highest); err != nil {
			return cache.Layout{}, fmt.Errorf("%s: %w", root, err)
		}
	}
	if !l.Has() {
		return cache.Layout{}, fmt.Errorf("cache classes: %w: %s has neither cache nor memory bandwidth to share", host.ErrNotHere, root)
	}
	l.Groups, err = groups(root)
	return l, err
}

// mounted is an error that wraps [host.ErrNotHere] if the file system is not there.
func mounted(root string) error {
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no %s: the processor has neither Intel RDT nor AMD QoS, or this kernel is without resctrl", host.ErrNotHere, root)
	}
	if _, err := os.Stat(filepath.Join(root, "schemata")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the file system is not mounted: mount -t resctrl resctrl %s", host.ErrNotHere, root)
	}
	return nil
}

// add adds a resource. Unknown ones, and bandwidth that is no percentage (AMD's,
// and with the mount option mba_MBps), are ignored.
func add(l *cache.Layout, root, resource string, highest uint64) (err error) {
	info := folder{dir: filepath.Join(root, "info", resource)}
	switch resource {
	case "L3", "L3CODE", "L3DATA":
		if l.L3, err = info.ways(); err == nil {
			l.L3.CDP = resource != "L3"
		}
	case "L2", "L2CODE", "L2DATA":
		if l.L2, err = info.ways(); err == nil {
			l.L2.CDP = resource != "L2"
		}
	case "MB":
		if linear := info.number("delay_linear", 10); linear != 1 || highest > 100 {
			return info.err
		}
		l.Bandwidth, err = info.bandwidth()
	}
	return err
}

// groups returns how many groups there can be beside the default one. A group takes
// a class of service (CLOSID) of every resource, so the resource with the fewest
// classes decides, also one that add ignores (rdtgroup.c, closid_init). Errors wrap
// [host.ErrNotHere] if there can be no group.
func groups(root string) (int, error) {
	files, err := filepath.Glob(filepath.Join(root, "info", "*", "num_closids"))
	if err != nil {
		return 0, err
	}
	least := math.MaxInt
	for _, f := range files {
		info := folder{dir: filepath.Dir(f)}
		least = min(least, info.number("num_closids", 10)-1)
		if info.err != nil {
			return 0, info.err
		}
	}
	if len(files) == 0 || least < 1 {
		return 0, fmt.Errorf("cache classes: %w: %s has no class of service beside the default one", host.ErrNotHere, root)
	}
	return least, nil
}

// folder reads the numbers in a resource's folder below info; err is the first
// error.
type folder struct {
	dir string
	err error
}

func (f *folder) number(name string, base int) int {
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	var v uint64
	if err == nil {
		// Numbers are at most masks of 32 bits (struct resctrl_cache).
		if v, err = strconv.ParseUint(strings.TrimSpace(string(text)), base, 32); err != nil {
			err = fmt.Errorf("%s: %w", filepath.Join(f.dir, name), err)
		}
	}
	f.err = cmp.Or(f.err, err)
	return int(v)
}

func (f *folder) ways() (*cache.Ways, error) {
	mask, least, classes := f.number("cbm_mask", 16), f.number("min_cbm_bits", 10), f.number("num_closids", 10)
	if f.err != nil {
		return nil, f.err
	}
	// AMD's processors accept an empty mask, and min_cbm_bits is 0 there. A class has
	// at least one bit, because it would have no cache otherwise.
	w := &cache.Ways{Bits: bits.Len(uint(mask)), Least: max(1, least), Classes: classes - 1}
	if mask == 0 || mask&(mask+1) != 0 || w.Least > w.Bits {
		return nil, fmt.Errorf("%s: masks of %#x with at least %d bits", f.dir, mask, least)
	}
	return w, nil
}

func (f *folder) bandwidth() (*cache.Bandwidth, error) {
	least, step, classes := f.number("min_bandwidth", 10), f.number("bandwidth_gran", 10), f.number("num_closids", 10)
	if f.err == nil && (step < 1 || step > 100 || least > 100) {
		f.err = fmt.Errorf("%s: bandwidth from %d %% in steps of %d %%", f.dir, least, step)
	}
	return &cache.Bandwidth{Least: least, Step: step, Classes: classes - 1}, f.err
}
