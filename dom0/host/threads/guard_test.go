// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
)

func lockThread() { runtime.LockOSThread() }

func TestGuardReadsWhatItIsTold(t *testing.T) {
	one := &Threads{id: 7, meant: host.Members{PID: 5}, had: policies{5: {Policy: unix.SCHED_BATCH, Nice: -3}}}
	two := &Threads{id: 8, meant: host.Members{PID: 8, TID: 9, Start: 10}}
	n, err := readNote(one.Note() + " " + two.Note())
	if err != nil || !slices.Equal(n.groups, []uint32{7}) || !slices.Equal(n.singles, []host.Members{two.meant}) ||
		len(n.had) != 1 || n.had[5] == nil || n.had[5].Policy != unix.SCHED_BATCH || n.had[5].Nice != -3 {
		t.Errorf("%+v, %v", n, err)
	}
	if n, err := readNote(""); len(n.groups)+len(n.singles)+len(n.had) != 0 || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
	for _, bad := range []string{"5", "thread=5/6", "thread=5/a/7", "policy=1", "group=x"} {
		if n, err := readNote("group=1 " + bad); err == nil || len(n.groups) != 1 {
			t.Errorf("%q: %+v", bad, n)
		}
	}
}
