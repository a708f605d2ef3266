// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// asleep starts a process that sleeps until the end of the test, as a helper.
func asleep(t *testing.T, model bool) (h host.Helper, end func()) {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(end)
	h = host.Helper{Name: "sleep", Model: model, Members: host.Members{PID: cmd.Process.Pid}}
	var err error
	if h.Start, err = host.Start(h.Members); err != nil {
		t.Fatal(err)
	}
	if !model {
		h.TID = h.PID
	}
	return h, end
}

// A device model is in a cgroup, a back end stays where it is; both have a policy of the
// reservation, and get back the one that they had. The next master finds them, or takes
// another device model in place of the one that is gone.
func TestHelpersAreOnAReservationTogether(t *testing.T) {
	if unix.Geteuid() != 0 {
		t.Skip("needs root")
	}
	model, end := asleep(t, true)
	backend, gone := asleep(t, false)
	r := host.Reservation{
		Task:   rtsched.Task{ID: 3998, Budget: time.Millisecond, Period: time.Second},
		Holder: host.Holder{Domain: &host.Domain{ID: "1"}}, DeviceModel: true, Helpers: []host.Helper{model, backend},
	}
	for _, r.Resume = range []bool{false, true} {
		a, err := new(Set).Open(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := a.members.threads(); err != nil || !slices.Equal(all, []int{model.PID, backend.PID}) {
			t.Errorf("threads %v, %v; want %d and %d", all, err, model.PID, backend.PID)
		}
		if used, err := a.members.usage(); err != nil || used < 0 {
			t.Errorf("used %v, %v", used, err)
		}
		if !placed(model.PID, r.ID) || placed(backend.PID, r.ID) {
			t.Error("the device model is not in the cgroup, or the back end is")
		}
		n, err := readNote(a.Note())
		if err != nil || len(n.groups) != 1 || len(n.singles) != 1 || n.singles[0] != backend.Members {
			t.Errorf("note %q: %+v, %v", a.Note(), n, err)
		}
		for _, pid := range []int{model.PID, backend.PID} {
			if err := setPolicy(pid, background); err != nil {
				t.Fatal(err)
			}
		}
		if r.Resume { // the first master dies
			if err := Undo(a.Note()); err != nil {
				t.Error(err)
			}
			for _, pid := range []int{model.PID, backend.PID} {
				if attr, err := unix.SchedGetAttr(pid, 0); err != nil || attr.Policy != unix.SCHED_NORMAL {
					t.Errorf("process %d has %+v, %v", pid, attr, err)
				}
			}
			gone()
			if all, err := a.members.threads(); err != nil || !slices.Equal(all, []int{model.PID}) {
				t.Errorf("without the back end: %v, %v", all, err)
			}
			end()
			if all, err := a.members.threads(); err != nil || len(all) != 0 {
				t.Errorf("without the device model: %v, %v", all, err)
			}
			if err := a.members.release(); err != nil {
				t.Error(err)
			}
		}
		if err := a.Close(false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := new(Set).Open(r, nil); !errors.Is(err, host.ErrNoMembers) {
		t.Errorf("of a device model that has ended: %v", err)
	}
	next, _ := asleep(t, true)
	if err := unix.SchedSetAttr(next.PID, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Nice: 3}, 0); err != nil {
		t.Fatal(err)
	}
	r.Helpers = []host.Helper{next, backend}
	a, err := new(Set).Open(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !placed(next.PID, r.ID) || strings.Contains(a.Note(), "thread=") {
		t.Errorf("the next device model: note %q", a.Note())
	}
	if err := errors.Join(setPolicy(next.PID, background), a.Restore(), a.Close(false)); err != nil {
		t.Error(err)
	}
	if attr, err := unix.SchedGetAttr(next.PID, 0); err != nil || attr.Policy != unix.SCHED_BATCH || attr.Nice != 3 {
		t.Errorf("the next device model has %+v, %v", attr, err)
	}
}
