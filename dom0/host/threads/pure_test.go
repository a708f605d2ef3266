// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
)

func TestNumbersThatAreCutOffAreLeftOut(t *testing.T) {
	for text, want := range map[string][]int{
		"":             nil,
		"1\n22\n333\n": {1, 22, 333},
		"0\n5\n":       {5},
		"1\n22\n3":     {1, 22}, // 3 may have been 333
		"x\n\n7\n":     {7},
	} {
		if got := appendNumbers(nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestMembersAreKnownByTheirStart(t *testing.T) {
	m := host.Members{PID: os.Getpid()}
	start, err := host.Start(m)
	if err != nil || start == 0 {
		t.Fatalf("%d, %v", start, err)
	}
	m.Start = start
	if err := Check(m); err != nil {
		t.Error(err)
	}
	m.Start++
	if err := Check(m); !errors.Is(err, host.ErrNoMembers) {
		t.Errorf("another with its number: %v", err)
	}
	if err := Check(host.Members{PID: os.Getpid(), TID: 1 << 22}); !errors.Is(err, host.ErrNoMembers) {
		t.Errorf("no such thread: %v", err)
	}
	if cpus, err := Affinity(host.Members{PID: os.Getpid()}); err != nil || len(cpus) == 0 {
		t.Errorf("CPUs %v, %v", cpus, err)
	}
}

func TestPoliciesComeAndGoAndNicenessStays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: real-time policies are root's")
	}
	tids, stop := make(chan int), make(chan bool)
	go func() {
		lockThread()
		tids <- unix.Gettid()
		<-stop
	}()
	tid := <-tids
	defer close(stop)
	if err := unix.Setpriority(unix.PRIO_PROCESS, tid, 5); err != nil {
		t.Fatal(err)
	}
	for _, policy := range []int{keeper.Levels, background, 1, ordinary} {
		if err := setPolicy(tid, policy); err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(tid, 0)
		if err != nil {
			t.Fatal(err)
		}
		if ours(tid) != (policy != ordinary) {
			t.Errorf("%d: ours %v, %+v", policy, ours(tid), attr)
		}
		if fifo := attr.Policy == unix.SCHED_FIFO; fifo != (policy > 0) || fifo && (int(attr.Priority) != policy || attr.Flags&unix.SCHED_FLAG_RESET_ON_FORK == 0) {
			t.Errorf("%d: %+v", policy, attr)
		}
		if got := nice(tid); got != 5 {
			t.Errorf("%d: nice %d", policy, got)
		}
	}
}

// nice of a thread.
func nice(tid int) int {
	// The system call gives 20 less the niceness.
	v, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
	if err != nil {
		return 0
	}
	return 20 - v
}
