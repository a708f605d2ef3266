// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
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

// Layout returns what can be allocated. Errors wrap [host.ErrNotHere] if
// that is nothing.
func Layout(root string) (cache.Layout, error) {
	t, err := readTree(root)
	return t.layout, err
}

// tree is what the file system says of the processor.
type tree struct {
	layout cache.Layout
	lines  []line // of a schemata, in the file's order
}

// line is a resource, and the numbers of its caches.
type line struct {
	resource string // L3, L3CODE, L3DATA, L2, L2CODE, L2DATA, MB
	ids      []string
}

func readTree(root string) (tree, error) {
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return tree{}, fmt.Errorf("cache classes: %w: there is no %s: the processor has neither Intel RDT nor AMD QoS, or this kernel is without resctrl",
			host.ErrNotHere, root)
	}
	text, err := os.ReadFile(filepath.Join(root, "schemata"))
	if errors.Is(err, fs.ErrNotExist) {
		return tree{}, fmt.Errorf("cache classes: %w: the file system is not mounted: mount -t resctrl resctrl %s", host.ErrNotHere, root)
	}
	if err != nil {
		return tree{}, err
	}
	var t tree
	for words := range strings.Lines(string(text)) {
		resource, values, ok := strings.Cut(strings.TrimSpace(words), ":")
		if !ok {
			continue
		}
		l := line{resource: resource}
		highest := uint64(0)
		for part := range strings.SplitSeq(values, ";") {
			id, value, _ := strings.Cut(part, "=")
			l.ids = append(l.ids, id)
			if v, err := strconv.ParseUint(value, 10, 64); err == nil {
				highest = max(highest, v)
			}
		}
		if err := t.add(root, l, highest); err != nil {
			return tree{}, fmt.Errorf("%s: %w", root, err)
		}
	}
	if !t.layout.Has() {
		return tree{}, fmt.Errorf("cache classes: %w: %s has neither cache nor memory bandwidth to share", host.ErrNotHere, root)
	}
	t.layout.Groups, err = groups(root)
	return t, err
}

// add takes a resource up; one that is not known, or whose bandwidth is no
// percentage (AMD's, and that of the mount option mba_MBps), is left alone.
func (t *tree) add(root string, l line, highest uint64) error {
	info := filepath.Join(root, "info", l.resource)
	switch l.resource {
	case "L3", "L3CODE", "L3DATA":
		w, err := readWays(info)
		if err != nil {
			return err
		}
		w.CDP = l.resource != "L3"
		t.layout.L3 = w
	case "L2", "L2CODE", "L2DATA":
		w, err := readWays(info)
		if err != nil {
			return err
		}
		w.CDP = l.resource != "L2"
		t.layout.L2 = w
	case "MB":
		linear, err := number(info, "delay_linear", 10)
		if err != nil {
			return err
		}
		if linear != 1 || highest > 100 {
			return nil
		}
		if t.layout.Bandwidth, err = readBandwidth(info); err != nil {
			return err
		}
	default:
		return nil
	}
	t.lines = append(t.lines, l)
	return nil
}

// groups is how many there can be beside the default one: a group has a class of
// service (CLOSID) of every resource, whatever it sets, so the resource with the
// fewest decides, also one that is left alone here (rdtgroup.c, closid_init).
// Errors wrap [host.ErrNotHere] if there can be none.
func groups(root string) (int, error) {
	files, err := filepath.Glob(filepath.Join(root, "info", "*", "num_closids"))
	if err != nil {
		return 0, err
	}
	least := math.MaxInt
	for _, f := range files {
		n, err := number(filepath.Dir(f), filepath.Base(f), 10)
		if err != nil {
			return 0, err
		}
		least = min(least, int(n)-1)
	}
	if len(files) == 0 || least < 1 {
		return 0, fmt.Errorf("cache classes: %w: %s has no class of service beside the default one", host.ErrNotHere, root)
	}
	return least, nil
}

func readWays(info string) (*cache.Ways, error) {
	mask, err := number(info, "cbm_mask", 16)
	least, err2 := number(info, "min_cbm_bits", 10)
	classes, err3 := number(info, "num_closids", 10)
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, err
	}
	// AMD's processors take an empty mask, and the kernel says 0 there; a class
	// has one bit all the same, or it would have no cache.
	w := &cache.Ways{Bits: bits.Len64(mask), Least: max(1, int(least)), Classes: int(classes) - 1}
	if mask == 0 || mask&(mask+1) != 0 || w.Least > w.Bits {
		return nil, fmt.Errorf("%s: masks of %#x with at least %d bits", info, mask, least)
	}
	return w, nil
}

func readBandwidth(info string) (*cache.Bandwidth, error) {
	least, err := number(info, "min_bandwidth", 10)
	step, err2 := number(info, "bandwidth_gran", 10)
	classes, err3 := number(info, "num_closids", 10)
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, err
	}
	if step < 1 || step > 100 || least > 100 {
		return nil, fmt.Errorf("%s: bandwidth from %d %% in steps of %d %%", info, least, step)
	}
	return &cache.Bandwidth{Least: int(least), Step: int(step), Classes: int(classes) - 1}, nil
}

func number(dir, name string, base int) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(text)), base, 64)
	if err != nil || v > 1<<32 && base == 10 {
		return 0, fmt.Errorf("%s: %.40q is no number of this kind", filepath.Join(dir, name), text)
	}
	return v, nil
}

// schemata is what the file of a group with those masks says; what they do not
// say is all.
func (t tree) schemata(m cache.Masks) string {
	var b strings.Builder
	for _, l := range t.lines {
		value := ""
		switch l.resource {
		case "L3", "L3CODE":
			value = mask(m.L3Code, t.layout.L3)
		case "L3DATA":
			value = mask(m.L3Data, t.layout.L3)
		case "L2", "L2CODE", "L2DATA":
			value = mask(m.L2, t.layout.L2)
		case "MB":
			value = "100"
			if m.Bandwidth != 0 {
				value = strconv.Itoa(m.Bandwidth)
			}
		}
		for i, id := range l.ids {
			sep := ";"
			if i == 0 {
				sep = l.resource + ":"
			}
			b.WriteString(sep + id + "=" + value)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func mask(m uint64, w *cache.Ways) string {
	if m == 0 {
		m = ^uint64(0) >> (64 - w.Bits)
	}
	return strconv.FormatUint(m, 16)
}
