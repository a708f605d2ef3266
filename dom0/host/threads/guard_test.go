// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"runtime"
	"slices"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
)

func lockThread() { runtime.LockOSThread() }

func TestNotes(t *testing.T) {
	want := []host.Members{{PID: 5, TID: 6, Start: 7}, {PID: 8, TID: 9, Start: 10}}
	got, err := readNotes(note(want[0]) + " " + note(want[1]))
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := readNotes(""); len(got) != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"5", "5/6", "5/a/7"} {
		if _, err := readNotes("1/2/3 " + bad); err == nil {
			t.Errorf("%q is a thread", bad)
		}
	}
}
