// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/internal/testkit"
)

// lastRan is the CPU on which a thread of this process ran last.
func lastRan(t *testing.T, tid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
	if err != nil {
		t.Fatal(err)
	}
	// The 39th field, and the second may have anything in it: proc_pid_stat(5).
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	cpu, err := strconv.Atoi(fields[36])
	if err != nil {
		t.Fatal(err)
	}
	return cpu
}

// The assistant goes where it is asked to, whatever the collector does, and ends.
func TestAssistantGoesToCPUsDuringCollections(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: real-time threads are root's")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpus, err := cpulist.Read("/sys/devices/system/cpu/online")
	if err != nil {
		t.Fatal(err)
	}
	v, err := newAssistant()
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	went := 0
	for range 200 {
		for _, c := range cpus {
			asked := v.page.request.Load()
			v.visit([]int{c})
			if v.page.request.Load() == asked {
				continue // this thread is there, or the assistant is still under way
			}
			testkit.Eventually(t, "the visit ends", func() bool { return v.page.done.Load() == v.page.request.Load() })
			if at := lastRan(t, v.tid); at != c {
				t.Fatalf("asked to go to CPU %d, it went to %d", c, at)
			}
			went++
		}
	}
	if went == 0 && len(cpus) > 1 {
		t.Error("it went nowhere")
	}
	close(stop)
	<-stopped
	if err := v.close(); err != nil {
		t.Error(err)
	}
	if err := unix.Tgkill(os.Getpid(), v.tid, 0); err != unix.ESRCH {
		t.Errorf("its thread is left: %v", err)
	}
}

// A thread that is watched has its foreground ended while the keeper is late, again and
// again, although the keeper has announced nothing.
func TestAssistantEndsForegroundAsOftenAsItBegins(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: real-time threads are root's")
	}
	a, err := newAssistant()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	number, end, ended := make(chan int), make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and ends with it
		number <- unix.Gettid()
		<-end
	}()
	tid := <-number
	a.watch(tid, unix.SCHED_NORMAL)
	for range 3 {
		if err := SetScheduler(tid, unix.SCHED_FIFO, 1); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "its foreground ends", func() bool { return policyOf(tid) == "NORMAL" })
		if !a.acted() {
			t.Error("the keeper is not told")
		}
	}
	a.expect(Never) // the keeper is back
	a.unwatch(tid)
	close(end)
	<-ended
}

// policyOf is how the kernel schedules a thread; "" if it has ended.
func policyOf(tid int) string {
	attr, err := unix.SchedGetAttr(tid, 0)
	if err != nil {
		return ""
	}
	return map[uint32]string{unix.SCHED_NORMAL: "NORMAL", unix.SCHED_FIFO: "FIFO", unix.SCHED_DEADLINE: "DEADLINE"}[attr.Policy]
}
