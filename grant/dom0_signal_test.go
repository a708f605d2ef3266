// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package grant

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel gives up a process' first mapping of grants when a signal arrives,
// so each attempt is another process.
func TestLabMappingSurvivesSignals(t *testing.T) {
	const processes, signals = 30, 3000
	if os.Getenv(childMode) != "" {
		runtime.LockOSThread()
		me, began := unix.Gettid(), make(chan struct{})
		go func() {
			runtime.LockOSThread()
			for i := range signals {
				if i == signals/100 {
					close(began)
				}
				_ = unix.Tgkill(os.Getpid(), me, unix.SIGURG) // as Go's scheduler does
			}
		}()
		m := mapper(t)
		<-began
		mapping, err := m.Map(0, []uint32{childNumber(t, childRef)}, false, nil)
		check(t, err)
		if b := mapping.Bytes()[0]; b != 42 {
			t.Errorf("the first byte is %d", b)
		}
		return
	}
	pages := alloc(t, allocator(t), 1, true)
	pages.Bytes()[0] = 42
	for i := range processes {
		cmd, out := child(t, "signals", pages.Refs()[0], 0)
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d of %d ended with %v:\n%s", i+1, processes, err, out)
		}
	}
}
