// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/throttle"
)

// asChild is the argument that makes the test program one of an experiment's
// processes.
const asChild = "experiment-child"

func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != asChild {
		testkit.Main(m)
	}
	var err error
	switch os.Args[2] {
	case Guard:
		err = native.Guard(os.Stdin, os.Args[3])
	case Watcher:
		err = Lateness(os.Stdin)
	case Idle:
		_, err = io.Copy(io.Discard, os.Stdin)
	default:
		err = Run(context.Background(), os.Args[3], os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func self(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(exe, append([]string{asChild}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// A job waits until it may begin, works, counts its work, and ends with its input.
func TestJobWorksUntilItsInputEnds(t *testing.T) {
	for _, job := range Jobs() {
		t.Run(job, func(t *testing.T) {
			if err := Missing(job); err != nil {
				t.Skip(err)
			}
			r, err := start(job, self)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.prepared(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := r.work(); n != 0 {
				t.Errorf("%d done before it began", n)
			}
			if err := r.begin(); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "work", func() bool { return r.work() > 0 })
			if err := r.close(); err != nil {
				t.Errorf("ended during its work: %v", err)
			}
		})
	}
}

// The experiment may end before the job begins.
func TestJobThatNeverBeginsEnds(t *testing.T) {
	r, err := start("m_jump", self)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.close(); err != nil {
		t.Error(err)
	}
}

func TestMissingSaysHowToInstallAProgram(t *testing.T) {
	if err := Missing("nothing"); err == nil || !strings.Contains(err.Error(), "m_jump") {
		t.Error(err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := Missing("compiler"); err == nil || !strings.Contains(err.Error(), "apt-get install gcc") {
		t.Error(err)
	}
	if err := Missing("m_jump"); err != nil {
		t.Error(err)
	}
}

// m_jump writes to every line of its array once, and never twice in a row of
// DRAM.
func TestMjumpWritesToEachLineOnce(t *testing.T) {
	if got := arraySize(0); got != jumpLeast {
		t.Errorf("array of %d", got)
	}
	if got := arraySize(1 << 40); got != jumpMost {
		t.Errorf("array of %d", got)
	}
	piece, err := mjump()
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Uint64
	for range jumpStep / jumpLine {
		if err := piece(t.Context(), &done); err != nil {
			t.Fatal(err)
		}
	}
	if want := uint64(arraySize(cacheSize()) / jumpLine); done.Load() != want {
		t.Errorf("%d lines, want %d", done.Load(), want)
	}
}

func TestFirstModeIsAloneAndEachNameIsUnique(t *testing.T) {
	names := make(map[string]bool)
	for _, m := range Modes {
		if names[m.Name] || strings.Contains(m.Name, ".") || m.Title == "" || Title(m.Name) != m.Title {
			t.Errorf("%+v", m)
		}
		names[m.Name] = true
	}
	if Modes[0].Name != Alone || Modes[0].Runs {
		t.Error("the first mode is not alone")
	}
	for _, m := range OtherCPU() {
		if m.Shared {
			t.Errorf("%s is not beside", m.Name)
		}
	}
}

func open(t *testing.T) *Machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: domains are cgroups, which only root can make here")
	}
	h, err := Open(self)
	if errors.Is(err, host.ErrNotHere) || errors.Is(err, host.ErrNotAllowed) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Each mode does to real domains what it says, and leaves nothing behind.
func TestModeDoesWhatItSaysToDomains(t *testing.T) {
	h := open(t)
	closed := false
	defer func() {
		if !closed {
			h.Close()
		}
	}()
	served := exec.Command("sleep", "1000")
	if err := served.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = served.Process.Kill()
		_ = served.Wait()
	}()
	if err := h.Add(t.Context(), Service, served.Process, h.ServiceCPU); err != nil {
		t.Fatal(err)
	}
	if err := h.SetJob(t.Context(), "m_jump", self); err != nil {
		t.Fatal(err)
	}
	for _, m := range append(Modes, Modes...) {
		if err := h.Set(t.Context(), m); err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		before := h.job.work()
		if m.Runs {
			testkit.Eventually(t, m.Name+": work", func() bool { return h.job.work() > before })
		} else {
			testkit.Eventually(t, "the latencies of the service alone are read", func() bool {
				if err := h.Set(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * period)
				if err := h.free(); err != nil { // readings continue until then
					t.Fatal(err)
				}
				return len(h.levels.alone[h.source.Name()]) >= leastLooks
			})
			if h.job.work() != before {
				t.Errorf("%s: the job works", m.Name)
			}
		}
		domains, err := h.host.Domains(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range domains {
			want := h.OtherCPU
			if d.Name == Service || d.Name == Idle || m.Shared {
				want = h.ServiceCPU
			}
			if len(d.CPUs) != 1 || d.CPUs[0] != want {
				t.Errorf("%s: %s is on CPUs %v, want %d", m.Name, d.Name, d.CPUs, want)
			}
		}
		if _, err := h.host.Usage(t.Context(), h.domain(Idle).On(idling)); err != nil {
			t.Errorf("%s: no domain is on a reservation: %v", m.Name, err)
		}
		_, err = h.host.Usage(t.Context(), h.domain(Service).On(reserved))
		if adopted := err == nil; adopted != (m.Name == "reserved") {
			t.Errorf("%s: the service is on a reservation: %v", m.Name, adopted)
		}
		_, err = h.host.Usage(t.Context(), h.domain(Job).On(background))
		if adopted := err == nil; adopted != slices.Contains(throttle.Policies, m.Name) {
			t.Errorf("%s: the job is on a reservation: %v", m.Name, adopted)
		}
	}
	closed = true
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadFile("/proc/self/cgroup"); err != nil || strings.Contains(string(left), h.parent) {
		t.Error(err, string(left))
	}
}
