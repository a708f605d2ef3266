// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// checkScheduler returns an error if Xen does not run under the scheduler that its
// command line names: Xen then uses another one.
func checkScheduler(want string) error {
	out, err := exec.Command("xl", "dmesg").Output()
	if err != nil {
		return fmt.Errorf("xl dmesg: %w", err)
	}
	config, err := exec.Command("xenhypfs", "cat", "/buildinfo/config").Output()
	if err != nil {
		config = nil // Xen may be built without it
	}
	return schedulerError(want, string(out), string(config))
}

var (
	// Xen's message at boot, of scheduler_init() in common/sched/core.c.
	usedScheduler = regexp.MustCompile(`Using scheduler: .* \((\w+)\)`)
	// The schedulers in Xen's configuration (common/sched/Kconfig).
	configScheduler = regexp.MustCompile(`(?m)^CONFIG_SCHED_(\w+)=y`)
)

// schedulerError compares the wanted scheduler with that in Xen's messages. Messages
// that have been overwritten are no error.
func schedulerError(want, messages, config string) error {
	used := usedScheduler.FindStringSubmatch(messages)
	if used == nil || used[1] == want {
		return nil
	}
	var names []string
	for _, m := range configScheduler.FindAllStringSubmatch(config, -1) {
		if name := strings.ToLower(m[1]); name != "granularity" && !strings.HasSuffix(name, "_default") {
			names = append(names, name)
		}
	}
	there := "it uses " + used[1]
	if len(names) > 0 {
		there = "it has " + strings.Join(names, ", ")
	}
	return fmt.Errorf("this Xen has no scheduler %q: %s", want, there)
}
