// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Limits of a buffer, in bytes.
const (
	MinBuffer = 4 << 10
	MaxBuffer = 4 << 30
	// For a cache of unknown size, and for one of hundreds of megabytes, which
	// one core can hardly fill.
	leastDefault = 64 << 20
	mostDefault  = 512 << 20
)

// DefaultBuffer is twice the largest cache of a CPU, from 64 to 512 MiB.
func DefaultBuffer(cpu int) int {
	largest := 0
	files, _ := filepath.Glob(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/cache/index*/size", cpu))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		// The kernel writes the size in units of 1,024 bytes.
		if kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(string(text)), "K")); err == nil {
			largest = max(largest, kib<<10)
		}
	}
	return min(max(2*largest, leastDefault), mostDefault)
}
