// SPDX-License-Identifier: Apache-2.0

package native

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host/loop"
)

// hurry makes all of this process real-time, and what it starts: domains in
// foreground, which their keeper left so when it died, must not keep it from
// what it is for.
func hurry() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return // it is late then, as it is without the right to hurry
	}
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			_ = loop.SetScheduler(tid, unix.SCHED_FIFO, loop.Priority)
		}
	}
}
