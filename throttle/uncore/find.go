// SPDX-License-Identifier: Apache-2.0

package uncore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/throttle"
)

// devices is where the kernel lists its PMUs.
const devices = "/sys/bus/event_source/devices"

// kind is a unit that counts requests and occupancy.
type kind struct {
	pattern             string
	requests, occupancy event
}

type event struct{ code, umask uint64 }

// Requests of cores to memory: for the ARB all, for the CHA demand reads that
// missed the last-level cache.
var kinds = []kind{
	{"uncore_arb*", event{0x81, 0x01}, event{0x80, 0x01}},
	{"uncore_cha*", event{0x35, 0xc817fe01}, event{0x36, 0xc817fe01}},
}

// mostBoxes is how many of a kind are opened. Servers have dozens, over which
// addresses are spread evenly, and each reading interrupts a CPU.
const mostBoxes = 8

// box is a PMU of the machine, and the parameters to open it.
type box struct {
	name                string
	typ                 uint32
	cpus                []int // one for each package
	requests, occupancy uint64
}

// find lists the units that can measure latency.
func find(root string) ([]box, error) {
	var seen []string
	for _, k := range kinds {
		dirs, err := filepath.Glob(filepath.Join(root, k.pattern))
		if err != nil {
			return nil, err
		}
		slices.Sort(dirs)
		var boxes []box
		for _, dir := range dirs[:min(len(dirs), mostBoxes)] {
			b, err := describe(dir, k)
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %w", throttle.ErrNoSource, dir, err)
			}
			boxes = append(boxes, b)
		}
		if len(boxes) > 0 {
			return boxes, nil
		}
		seen = append(seen, k.pattern)
	}
	return nil, fmt.Errorf("%w: %s has none of %s, as on AMD processors, on Intel servers before Skylake and in virtual machines: use the source probe", throttle.ErrNoSource, root, strings.Join(seen, ", "))
}

func describe(dir string, k kind) (box, error) {
	b := box{name: filepath.Base(dir)}
	text, err := content(dir, "type")
	if err != nil {
		return b, err
	}
	typ, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return b, err
	}
	b.typ = uint32(typ)
	if b.cpus, err = cpulist.Read(filepath.Join(dir, "cpumask")); err != nil {
		return b, err
	}
	if len(b.cpus) == 0 {
		return b, errors.New("cpumask names no CPU")
	}
	if b.requests, err = encode(dir, k.requests); err == nil {
		b.occupancy, err = encode(dir, k.occupancy)
	}
	return b, err
}

// encode places an event's fields where the PMU expects them.
func encode(dir string, e event) (config uint64, err error) {
	for name, value := range map[string]uint64{"event": e.code, "umask": e.umask} {
		text, err := content(dir, "format/"+name)
		if err != nil {
			return 0, err
		}
		bits, err := place(text, value)
		if err != nil {
			return 0, fmt.Errorf("format/%s: %w", name, err)
		}
		config |= bits
	}
	return config, nil
}

// place spreads a value over the bits of a format such as "config:8-15,32-55".
func place(format string, value uint64) (bits uint64, err error) {
	ranges, ok := strings.CutPrefix(format, "config:")
	if !ok {
		return 0, fmt.Errorf("format %q: only bits of config are supported", format)
	}
	left := value
	for r := range strings.SplitSeq(ranges, ",") {
		from, to, isRange := strings.Cut(r, "-")
		low, err := strconv.Atoi(from)
		high := low
		if err == nil && isRange {
			high, err = strconv.Atoi(to)
		}
		if err != nil || low < 0 || high < low || high > 63 {
			return 0, fmt.Errorf("format %q", format)
		}
		width := high - low + 1
		bits |= (left & (1<<width - 1)) << low
		left >>= width
	}
	if left != 0 {
		return 0, fmt.Errorf("format %q has no room for %#x: this processor is older than the supported ones", format, value)
	}
	return bits, nil
}

func content(dir, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(text)), err
}
