// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cpulist"
)

// Affinity are the CPUs, by this system's numbers, on which members may run.
func Affinity(m host.Members) ([]int, error) {
	tid := m.PID
	if m.TID != 0 {
		tid = m.TID
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(tid, &set); errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("%s: %w", m, host.ErrNoMembers)
	} else if err != nil {
		return nil, fmt.Errorf("CPUs of %s: %w", m, err)
	}
	online, err := cpulist.Read("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(online, func(c int) bool { return !set.IsSet(c) }), nil
}
