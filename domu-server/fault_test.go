// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
)

func TestCrashFailsOnlyItsCall(t *testing.T) {
	v := serve(t, Options{})
	for _, tt := range []struct {
		function, sig string
		words         []string
		want          []string
	}{
		{"crash", "void()", nil, []string{"SIGSEGV", "segmentation fault"}},
		{"complain", "void(str)", []string{"it is over \x1b[2J"}, []string{"SIGABRT", "it wrote: second / third / it is over \ufffd[2J"}},
		{"damage_heap", "void()", nil, []string{"SIGABRT", "free(): double free"}},
		{"leave", "void(i32)", []string{"3"}, []string{"exited with status 3"}},
		{"leave", "void(i32)", []string{"0"}, []string{"exited with status 0"}},
		{"leave_child", "void()", nil, []string{"exited with status 4"}},
		{"stop_itself", "void()", nil, []string{"SIGKILL"}},
		{"hang_up", "void()", nil, []string{"closed the worker's channel"}},
	} {
		t.Run(tt.function, func(t *testing.T) {
			if n := v.number("count", "i32()"); n != 1 {
				t.Errorf("the worker had served %d calls before", n-1)
			}
			_, err := v.try(tt.function, tt.sig, tt.words...)
			fails(t, err, vlibcall.ErrCrashed, tt.want...)
			if !strings.Contains(v.log.String(), tt.function+" crashed: ") {
				t.Errorf("log:\n%s", v.log)
			}
		})
	}
	if n := v.number("count", "i32()"); n != 1 {
		t.Errorf("the last worker served %d calls", n)
	}
	testkit.Eventually(t, "one process is left", func() bool { return len(children()) == 1 })
}

func TestCrashingConstructorFailsTheCall(t *testing.T) {
	v := serve(t, Options{})
	for range 2 {
		_, err := invoke(t.Context(), v.Channel, library("libconstructor.so"), "f", request(t, "i32()"))
		fails(t, err, vlibcall.ErrCrashed, "SIGABRT")
	}
}

// The cause of a crash is the status of the process, however long that takes, and a
// process that only closes its channel has not crashed by itself.
func TestCauseOfACrashIsTheWorkersStatus(t *testing.T) {
	v := serve(t, Options{})
	v.number("count", "i32()")
	kin.mu.Lock() // nothing is buried
	var once sync.Once
	release := func() { once.Do(kin.mu.Unlock) }
	defer release()
	time.AfterFunc(1500*time.Millisecond, release)
	_, err := v.try("crash", "void()")
	fails(t, err, vlibcall.ErrCrashed, "SIGSEGV")
	_, err = v.try("hang_up", "void()")
	fails(t, err, vlibcall.ErrCrashed, "closed the worker's channel")
}

func TestWorkerThatCrashedBetweenCallsIsReplaced(t *testing.T) {
	v := serve(t, Options{})
	// The next call may arrive before the server has learnt of the process's
	// end: then the crash fails that call.
	testkit.Eventually(t, "a crash is noticed between calls", func() bool {
		pid := v.number("process", "i32()")
		v.number("crash_later", "i32()")
		testkit.Eventually(t, "the worker is dead", func() bool { return dead(int(pid)) })
		time.Sleep(10 * time.Millisecond)
		r, err := v.try("count", "i32()")
		if err != nil {
			fails(t, err, vlibcall.ErrCrashed, "SIGABRT")
		} else if r.Value.Int() != 1 {
			t.Fatalf("count %d", r.Value.Int())
		}
		return err == nil
	})
	if !strings.Contains(v.log.String(), "crashed between calls: killed by SIGABRT") {
		t.Errorf("log:\n%s", v.log)
	}
}

func TestDamagedChannelEndsTheWorker(t *testing.T) {
	v := serve(t, Options{})
	pid := v.number("process", "i32()")
	v.number("scribble_later", "i32()")
	testkit.Eventually(t, "the damage is done", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", pid))
		return err == nil && !slices.ContainsFunc(threads, func(path string) bool {
			name, _ := os.ReadFile(path) // the thread may have ended
			return string(name) == "scribble\n"
		})
	})
	_, err := v.try("count", "i32()")
	fails(t, err, vlibcall.ErrCrashed, "damaged the worker's channel: protocol violation")
	if n := v.number("count", "i32()"); n != 1 {
		t.Errorf("count %d", n)
	}
}

func TestHangingFunctionIsEnded(t *testing.T) {
	for _, function := range []string{"hang", "spin"} {
		t.Run(function, func(t *testing.T) {
			v := serve(t, Options{})
			pid, child := v.number("process", "i32()"), v.number("child_forever", "i32()")
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			begin := time.Now()
			_, err := invoke(ctx, v.Channel, library("libtest.so"), function, request(t, "void()"))
			fails(t, err, vlibcall.ErrTimeout)
			if n := v.number("count", "i32()"); n != 1 {
				t.Errorf("count %d", n)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if !dead(int(pid)) {
				t.Error("the worker still lives")
			}
			testkit.Eventually(t, "the library's child is dead too", func() bool { return dead(int(child)) })
			if v.LateAnswers() != 1 {
				t.Errorf("%d late answers", v.LateAnswers())
			}
		})
	}
}

func TestClientThatLeavesFreesTheServer(t *testing.T) {
	v := serve(t, Options{})
	other := v.open(8192)
	p := other.Go(context.Background(), library("libtest.so"), "hang", mustEncode(t, "void()"), nil)
	testkit.Eventually(t, "the worker runs", func() bool { return len(children()) == 1 })
	other.Close()
	_, err := p.Result()
	fails(t, err, os.ErrClosed)
	if n := v.number("count", "i32()"); n != 1 {
		t.Errorf("count %d", n)
	}
}

func TestServerBoundsTheTime(t *testing.T) {
	v := serve(t, Options{MaxRunTime: 50 * time.Millisecond})
	_, err := v.try("hang", "void()")
	fails(t, err, vlibcall.ErrCancelled, "it ran for 50ms", "--max-run-time")
}

func TestStoppingServerEndsRunningCalls(t *testing.T) {
	v := serve(t, Options{})
	p := v.Go(context.Background(), library("libtest.so"), "hang", mustEncode(t, "void()"), nil)
	testkit.Eventually(t, "the worker runs", func() bool { return len(children()) == 1 })
	v.end()
	if _, err := p.Result(); err == nil {
		t.Error("the call succeeded")
	}
	if n := len(children()); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}

func TestWorkerThatCannotStartIsNotAFailedFunction(t *testing.T) {
	script := func(name, text string) string {
		path := library(name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		worker string
		want   []string
	}{
		{library("nosuch"), []string{library("nosuch"), "no such file", "--worker"}},
		{library("libtest.so") + "/x", []string{"not a directory", "--worker"}},
		{script("nolinker", "#!/nosuch/ld.so\n"), []string{"dynamic linker"}},
		{script("fails", "#!/bin/sh\necho lacks something >&2\nexit 7\n"), []string{"not ready", "exited with status 7", "lacks something"}},
	} {
		v := serve(t, Options{Worker: tt.worker})
		for range 2 {
			_, err := v.try("count", "i32()")
			fails(t, err, vlibcall.ErrNoLibrary, tt.want...)
		}
		v.end()
	}
	// A worker that hangs before it is ready is ended with the call.
	v := serve(t, Options{Worker: script("hangs", "#!/bin/sh\nexec sleep 1000\n"), MaxRunTime: 100 * time.Millisecond})
	_, err := v.try("count", "i32()")
	fails(t, err, vlibcall.ErrCancelled, "--max-run-time")
	if n := len(children()); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}

func TestNothingLeaks(t *testing.T) {
	v := serve(t, Options{MaxWorkers: 4})
	var libraries []string
	for i := range 20 {
		name := library(fmt.Sprintf("libcopy%d.so", i))
		copyFile(t, library("libtest.so"), name)
		libraries = append(libraries, name)
	}
	round := func() {
		for i, l := range libraries {
			// Most calls succeed; some end in each of the other ways.
			function, want := "count", error(nil)
			switch i % 5 {
			case 3:
				function, want = "crash", vlibcall.ErrCrashed
			case 4:
				function, want = "nosuch", vlibcall.ErrNoFunction
			}
			if _, err := invoke(t.Context(), v.Channel, l, function, request(t, "i32()")); want == nil && err != nil {
				t.Fatal(err)
			} else if want != nil {
				fails(t, err, want)
			}
		}
	}
	round()
	settle := func() [4]int {
		testkit.Eventually(t, "four workers are left", func() bool { return len(children()) == 4 })
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return [4]int{len(children()), len(testkit.Descriptors()), runtime.NumGoroutine(), strings.Count(string(maps), "vlibos-channel")}
	}
	before := settle()
	for range 9 {
		round()
	}
	var after [4]int
	testkit.Eventually(t, "goroutines have ended", func() bool { after = settle(); return after[2] <= before[2] })
	if after[0] != before[0] || after[1] != before[1] || after[3] != before[3] {
		t.Errorf("processes, descriptors, goroutines, mappings: %v before, %v after", before, after)
	}
	v.end()
	if n := len(children()); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}
