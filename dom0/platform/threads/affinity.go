// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/platform"
)

// Affinity are the CPUs, by this system's numbers, on which members may run.
func Affinity(m platform.Members) ([]int, error) {
	tid := m.PID
	if m.TID != 0 {
		tid = m.TID
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(tid, &set); errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("%s: %w", m, platform.ErrNoMembers)
	} else if err != nil {
		return nil, fmt.Errorf("CPUs of %s: %w", m, err)
	}
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	var cpus []int
	for c := range len(set) * 64 {
		if set.IsSet(c) && isIn(c, string(online)) {
			cpus = append(cpus, c)
		}
	}
	return cpus, nil
}

// isIn reports whether a CPU is in the kernel's form of a set, "0-2,5".
func isIn(cpu int, set string) bool {
	return slices.ContainsFunc(strings.Split(strings.TrimSpace(set), ","), func(part string) bool {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		return err1 == nil && err2 == nil && from <= cpu && cpu <= to
	})
}
