// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Start is when the process or thread of m.PID and m.TID was started, in clock
// ticks since boot. ErrNoMembers: there is none, or it has ended.
func Start(m Members) (uint64, error) {
	tid := m.PID
	if m.TID != 0 {
		tid = m.TID
	}
	file := fmt.Sprintf("/proc/%d/task/%d/stat", m.PID, tid)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return 0, fmt.Errorf("%s: %w", m, ErrNoMembers)
	}
	if err != nil {
		return 0, err
	}
	// The second field is a name with anything in it, in parentheses.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("%s: %.80q has no start time", file, text)
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return 0, fmt.Errorf("%s: %w: it has ended", m, ErrNoMembers)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
