// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"os"
	"strings"

	"github.com/vlibos/vlibos/internal/cpulist"
)

// online is how many CPUs this system has.
func online() int {
	cpus, err := cpulist.Read("/sys/devices/system/cpu/online")
	if err != nil {
		return 0
	}
	return len(cpus)
}

// model is the name of the processor, empty if the kernel does not tell.
func model() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
