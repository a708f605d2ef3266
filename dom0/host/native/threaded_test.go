// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/cgroup"
)

// Virtual machine monitors put the threads of vCPUs into threaded cgroups of
// their own, which list no processes.
func TestThreadedCgroupIsTakenApart(t *testing.T) {
	m, err := cgroup.FindMounts()
	if err != nil {
		t.Fatal(err)
	}
	if m.V2 == "" || os.Getuid() != 0 {
		t.Skip("needs root, and cgroup v2: version 1 has no threaded cgroups")
	}
	dir := filepath.Join(m.V2, fmt.Sprintf("vlibos-test-threaded-%d", os.Getpid()))
	inner := filepath.Join(dir, "vcpu0")
	if err := os.MkdirAll(inner, 0o755); errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) {
		t.Skipf("cgroup v2 cannot be written: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Rmdir(inner); unix.Rmdir(dir) })
	c := exec.Command("sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	pid := strconv.Itoa(c.Process.Pid)
	for _, w := range [][2]string{{inner + "/cgroup.type", "threaded"}, {dir + "/cgroup.procs", pid}, {inner + "/cgroup.threads", pid}} {
		if err := cgroup.Write(w[0], w[1]); err != nil {
			t.Fatal(err)
		}
	}
	if pids, err := cgroup.Processes(inner); err != nil || len(pids) != 1 || pids[0] != c.Process.Pid {
		t.Errorf("%v, %v", pids, err)
	}
	if err := evacuate(dir, m.V2, 5*time.Second); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cgroup is still there: %v", err)
	}
	if err := c.Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("the process has ended: %v", err)
	}
}
