// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// The master after the one that made a reservation gives threads the policy that
// they had before it.
func TestNextMasterGivesBackThePolicy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	pid := cmd.Process.Pid
	if err := unix.SchedSetAttr(pid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Nice: 3}, 0); err != nil {
		t.Fatal(err)
	}
	r := host.Reservation{
		Task:   rtsched.Task{ID: 3999, Budget: time.Millisecond, Period: time.Second},
		Holder: host.Holder{Threads: &host.Members{PID: pid}},
	}
	for _, r.Resume = range []bool{false, true} {
		a, err := new(Set).Open(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := setPolicy(pid, background); err != nil {
			t.Fatal(err)
		}
		if r.Resume {
			err = a.had.giveBack([]int{pid})
			if left := a.members.release(); left != nil {
				t.Error(left)
			}
		}
		if closed := a.Close(false); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
	}
	attr, err := unix.SchedGetAttr(pid, 0)
	if err != nil || attr.Policy != unix.SCHED_BATCH || attr.Nice != 3 {
		t.Errorf("%+v, %v", attr, err)
	}
}
