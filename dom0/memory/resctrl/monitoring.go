// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/dom0/host"
)

// What the kernel reads of a group, for each third-level cache, in bytes
// (Documentation/x86/resctrl.rst).
const (
	occupancy = "llc_occupancy"
	traffic   = "mbm_total_bytes"
)

// monitoring is what can be monitored.
type monitoring struct {
	ids     int // of groups, which include those of classes and the default one
	traffic bool
}

// IDs is how many groups can be monitored at once, the default one and those of classes
// included. Errors wrap [host.ErrNotHere] if the kernel does not monitor caches.
func IDs(root string) (int, error) {
	m, err := monitored(root)
	return m.ids, err
}

func monitored(root string) (m monitoring, err error) {
	if err := mounted(root); err != nil {
		return m, fmt.Errorf("cache use of domains: %w", err)
	}
	info := folder{dir: filepath.Join(root, "info", "L3_MON")}
	text, err := os.ReadFile(filepath.Join(info.dir, "mon_features"))
	features := strings.Fields(string(text))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !slices.Contains(features, occupancy):
		return m, fmt.Errorf("cache use of domains: %w: the processor does not monitor it, or this kernel was started with rdt=!cmt", host.ErrNotHere)
	case err != nil:
		return m, err
	}
	m.ids, m.traffic = info.number("num_rmids", 10), slices.Contains(features, traffic)
	return m, info.err
}

// capacity is the size in bytes of all third-level caches, below the folder of CPUs in sysfs;
// 0: the kernel does not tell.
func capacity(cpus string) (sum uint64) {
	word := func(dir, name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name)) // without it nothing is known of that cache
		return strings.TrimSpace(string(text))
	}
	seen := make(map[string]bool)
	all, _ := filepath.Glob(filepath.Join(cpus, "cpu*", "cache", "index*")) // the pattern is well formed
	for _, dir := range all {
		id := word(dir, "id")
		var kib uint64
		if _, err := fmt.Sscanf(word(dir, "size"), "%dK", &kib); err != nil || word(dir, "level") != "3" || seen[id] {
			continue
		}
		seen[id] = true
		sum += kib << 10
	}
	return sum
}
