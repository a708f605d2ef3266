// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// checkScheduler says whether Xen runs under the scheduler that its command line
// names. If it has none of that name, Xen takes another and goes on.
func checkScheduler(want string) error {
	out, err := exec.Command("xl", "dmesg").Output()
	if err != nil {
		return fmt.Errorf("xl dmesg: %w", err)
	}
	config, err := exec.Command("xenhypfs", "cat", "/buildinfo/config").Output()
	if err != nil {
		config = nil // a Xen may be built without it
	}
	return schedulerError(want, string(out), string(config))
}

var (
	// What Xen says at boot, in scheduler_init() of common/sched/core.c.
	usedScheduler = regexp.MustCompile(`Using scheduler: .* \((\w+)\)`)
	// The schedulers in Xen's configuration, by common/sched/Kconfig.
	configScheduler = regexp.MustCompile(`(?m)^CONFIG_SCHED_(\w+)=y`)
)

// schedulerError compares the wanted scheduler with what Xen's messages say that
// it uses. Messages that have been overwritten say nothing.
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
	there := "it took " + used[1]
	if len(names) > 0 {
		there = "it has " + strings.Join(names, ", ")
	}
	return fmt.Errorf("this Xen has no scheduler %q: %s", want, there)
}
