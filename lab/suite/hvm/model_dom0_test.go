// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package hvm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	domain "github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// model is a domain's device model.
func model(t *testing.T, name string) domain.Helper {
	t.Helper()
	d, _ := host.Domain(t, name)
	m := domain.Model(d.Helpers)
	if m == nil {
		t.Fatalf("%s has no device model: %+v", name, d.Helpers)
	}
	return *m
}

// reading has the device model serve reads of the emulated drive's registers.
const reading = "while :; do dd if=/dev/port of=/dev/null bs=8 skip=62 count=1 2>/dev/null; done"

// policies are those of a process's threads.
func policies(t *testing.T, pid int) (all map[uint32]bool) {
	t.Helper()
	all = make(map[uint32]bool)
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	host.Must(t, err)
	for _, task := range tasks {
		tid, err := strconv.Atoi(filepath.Base(task))
		host.Must(t, err)
		if attr, err := unix.SchedGetAttr(tid, 0); err == nil { // else it has ended
			all[attr.Policy] = true
		}
	}
	return all
}

func TestDeviceModelIsShownWithItsTime(t *testing.T) {
	host.Serve(t)
	before := model(t, "vlib1")
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", before.PID)); err != nil || !strings.Contains(string(text), "qemu") {
		t.Errorf("its device model is %q, %v", text, err)
	}
	host.Keep(t, "vlib1", reading)
	testkit.Eventually(t, "its device model has used CPU time", func() bool { return model(t, "vlib1").CPU > before.CPU+10*time.Millisecond })
	if text := host.Run(t, "vlibmaster", "describe", "vlib1"); !strings.Contains(text, fmt.Sprintf("device model: process %d, ", before.PID)) {
		t.Errorf("describe does not name it:\n%s", text)
	}
	if text := host.Run(t, "vlibmaster", "ps", "-a"); !strings.Contains(text, "MODEL") {
		t.Error(text)
	}
}

func TestDeviceModelIsChargedToTheReservation(t *testing.T) {
	host.Serve(t)
	isCharged(t, "vlib1", func() (stop func()) { return host.Keep(t, "vlib1", reading) })
	answersCos(t, "vlib1")
}

// isCharged adopts a domain with its device model, for the time of a load that works both.
// They use no more than the budget in foreground, and both are accounted for.
func isCharged(t *testing.T, name string, load func() (stop func())) {
	t.Helper()
	pid := model(t, name).PID
	host.Run(t, "vlibmaster", "adopt", name, "--budget", "20ms", "--period", "100ms", "--with-device-model")
	stop := load()
	testkit.Eventually(t, "it runs in foreground", func() bool { return policies(t, pid)[unix.SCHED_FIFO] })
	time.Sleep(200 * time.Millisecond)
	before, sBefore := host.Domain(t, name)
	begun := time.Now()
	time.Sleep(time.Second)
	after, sAfter := host.Domain(t, name)
	took := time.Since(begun)
	guest := after.CPU - before.CPU
	served := domain.Model(after.Helpers).CPU - domain.Model(before.Helpers).CPU
	foreground, background := sAfter.Foreground-sBefore.Foreground, sAfter.Background-sBefore.Background
	t.Logf("in %v: the guest used %v, its device model %v; foreground %v, background %v", took, guest, served, foreground, background)
	if served < 5*time.Millisecond {
		t.Errorf("the device model used %v", served)
	}
	if d := (foreground + background - guest - served).Abs(); d > (guest+served)/20+20*time.Millisecond {
		t.Errorf("%v were charged, %v were used", foreground+background, guest+served)
	}
	if share := float64(foreground) / float64(took); share > 0.25 {
		t.Errorf("%.3f of a CPU in foreground, of a budget of 0.2", share)
	}
	text := host.Run(t, "vlibmaster", "describe", name)
	for _, words := range []string{fmt.Sprintf("device model: process %d, ", pid), "asked: 20ms in every 100ms"} {
		if !strings.Contains(text, words) {
			t.Errorf("describe has no %q:\n%s", words, text)
		}
	}
	stop()
	host.Run(t, "vlibmaster", "release", name)
	if p := policies(t, pid); len(p) != 1 || !p[unix.SCHED_NORMAL] {
		t.Errorf("after its release the device model has the policies %v", p)
	}
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid)); err != nil || strings.Contains(string(text), "vlibos") {
		t.Errorf("after its release the device model is in %q, %v", text, err)
	}
}

// A device model that dies is missed, and one that comes is put on the reservation. A
// process that only has the number of the last is not. This test leaves vlib1 without a
// device model.
func TestZDeviceModelThatDiesIsMissed(t *testing.T) {
	host.Serve(t)
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "20ms", "--period", "100ms", "--with-device-model")
	pid := model(t, "vlib1").PID
	id := host.DomainID(t, "vlib1")
	host.Must(t, unix.Kill(pid, unix.SIGKILL))
	testkit.Eventually(t, "its device model is missed", func() bool {
		return strings.Contains(host.Run(t, "vlibmaster", "ps"), "without its device model")
	})
	if text := host.Run(t, "vlibmaster", "describe", "vlib1"); !strings.Contains(text, fmt.Sprintf("process %d has ended", pid)) {
		t.Errorf("describe does not say it:\n%s", text)
	}
	next := exec.Command("sh", "-c", "read line", "sh", "-xen-domid", fmt.Sprint(id), "-no-shutdown")
	in, err := next.StdinPipe()
	host.Must(t, err)
	defer in.Close()
	host.Must(t, next.Start())
	t.Cleanup(func() {
		next.Process.Kill()
		next.Wait()
	})
	node := fmt.Sprintf("/local/domain/%d/image/device-model-pid", id)
	host.Run(t, "xenstore-write", node, fmt.Sprint(os.Getpid()))
	time.Sleep(2 * time.Second)
	if _, s := host.Domain(t, "vlib1"); !s.Unserved() {
		t.Errorf("this test is the device model: %+v", s.Beside)
	}
	host.Run(t, "xenstore-write", node, fmt.Sprint(next.Process.Pid))
	testkit.Eventually(t, "the next one is on the reservation", func() bool {
		_, s := host.Domain(t, "vlib1")
		return !s.Unserved() && domain.Model(s.Beside).PID == next.Process.Pid
	})
	out, status := host.Command(t, "vlibmaster", "adopt", "vlib1", "--budget", "20ms", "--period", "100ms", "--vcpus", "2", "--with-device-model")
	if status == 0 || !strings.Contains(out, "several servers") {
		t.Errorf("a device model beside two servers: status %d, %s", status, out)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
	if p := policies(t, next.Process.Pid); !p[unix.SCHED_NORMAL] || len(p) != 1 {
		t.Errorf("after the release it has the policies %v", p)
	}
}
