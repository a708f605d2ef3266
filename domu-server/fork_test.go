// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
)

// The process that the server knows executes each call, once, even after forks.
func TestForkedChildServesNoCall(t *testing.T) {
	for _, function := range []string{"fork_and_return", "vfork_and_return"} {
		t.Run(function, func(t *testing.T) {
			v := serve(t, Options{})
			process := v.number("process", "i32()")
			v.number("count", "i32()")
			child := v.number(function, "i32()")
			if child <= 0 || child == process {
				t.Fatalf("the call returned %d in process %d: the child answered", child, process)
			}
			testkit.Eventually(t, "the child has ended", func() bool { return dead(int(child)) })
			for i := range int64(200) {
				if n := v.number("count", "i32()"); n != i+2 {
					t.Fatalf("call %d is number %d of the worker", i+2, n)
				}
			}
			if now := v.number("process", "i32()"); now != process {
				t.Errorf("process %d serves, and was %d", now, process)
			}
		})
	}
}

// A child that stays in the library lacks the page by which calls are answered.
func TestForkedChildHasNoChannel(t *testing.T) {
	v := serve(t, Options{})
	headers := func(pid int64) (n int) {
		maps, err := os.ReadFile(filepath.Join("/proc", strconv.FormatInt(pid, 10), "maps"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(maps)) {
			if f := strings.Fields(line); strings.Contains(line, "vlibos-channel") && f[2] == "00000000" {
				n++
			}
		}
		return n
	}
	if n := headers(v.number("process", "i32()")); n != 1 {
		t.Errorf("the worker has %d", n)
	}
	if n := headers(v.number("child_forever", "i32()")); n != 0 {
		t.Errorf("its child has %d", n)
	}
}

// Processes that a library leaves behind end with the worker that left them,
// and with no other. Unrelated processes are left alone.
func TestDaemonOfALibraryEndsWithItsWorker(t *testing.T) {
	v := serve(t, Options{Sole: true})
	daemon := int(v.number("leave_daemon", "i32()"))
	testkit.Eventually(t, "the daemon is the server's child", func() bool {
		return slices.Contains(children(), daemon)
	})
	// Another worker crashes; the daemon of this one lives.
	_, err := invoke(t.Context(), v.Channel, "libc.so.6", "abort", request(t, "void()"))
	fails(t, err, vlibcall.ErrCrashed)
	if dead(daemon) {
		t.Fatal("the daemon died with another worker")
	}
	_, err = v.try("crash", "void()")
	fails(t, err, vlibcall.ErrCrashed)
	testkit.Eventually(t, "the daemon is dead", func() bool { return dead(daemon) })
	testkit.Eventually(t, "nothing is left", func() bool { return len(children()) == 0 })
}

// daemon(3) ends the worker and returns in its grandchild.
func TestDaemonLeavesNoOrphan(t *testing.T) {
	v := serve(t, Options{Sole: true})
	_, err := invoke(t.Context(), v.Channel, "libc.so.6", "daemon", request(t, "i32(i32,i32)", "1", "1"))
	fails(t, err, vlibcall.ErrCrashed, "exited with status 0")
	testkit.Eventually(t, "nothing is left", func() bool { return len(children()) == 0 })
	if n := v.number("count", "i32()"); n != 1 {
		t.Errorf("count %d", n)
	}
}

func TestCommandLeavesNoDaemon(t *testing.T) {
	v := serve(t, Options{Sole: true})
	fifo := filepath.Join(t.TempDir(), "pid")
	o := v.shell("mkfifo " + fifo + "; setsid sh -c 'echo $$ >" + fifo + "; exec sleep 1000' & read pid <" + fifo + "; echo $pid")
	pid, err := strconv.Atoi(strings.TrimSpace(string(o.Stdout)))
	if err != nil {
		t.Fatal(err)
	}
	if pid == 0 || !dead(pid) {
		t.Errorf("process %d in a session of its own still lives", pid)
	}
}
