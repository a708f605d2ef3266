// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
)

// TestMain is also the program of throw-away domains.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == LoadCommand {
		if err := Load(os.Args[2:]); err != nil {
			os.Exit(1)
		}
		return
	}
	testkit.Main(m)
}

func madePlan(t *testing.T, parent string) *plan {
	t.Helper()
	p, err := newPlan(&plan{Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(p.Dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

// A process that a self-test left is ended by any process that reads the plan; another that has
// its number by now is not.
func TestPlanEndsItsProcessesAndNoOther(t *testing.T) {
	start := func() *exec.Cmd {
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	mine, others := start(), start()
	p := madePlan(t, "")
	for _, cmd := range []*exec.Cmd{mine, others} {
		if err := p.process(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
	p.Processes[1].Started++ // another process has the number
	if err := p.save(); err != nil {
		t.Fatal(err)
	}
	read, err := readPlan(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // it can be repeated
		if err := read.Undo(); err != nil {
			t.Fatal(err)
		}
	}
	if err := mine.Wait(); err == nil {
		t.Error("the process was not ended")
	}
	if _, err := host.Start(host.Members{PID: others.Process.Pid}); err != nil {
		t.Errorf("another process was ended: %v", err)
	}
	_ = others.Process.Kill()
	_ = others.Wait()
}

// A plan that no self-test writes is refused: what it names would be removed.
func TestForeignPlansAreRefused(t *testing.T) {
	for _, text := range []string{
		`{"parent":"vlibos"}`, `{"parent":"vlibos-selftest-12/../../system.slice"}`, `{"parent":"vlibos-selftest-"}`,
		`{"processes":[{"pid":1}]}`, `{"processes":[{"pid":-1}]}`, `{"processes":[{"pid":0}]}`, `[]`, `{`, ``,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(planFile(dir), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := readPlan(dir); err == nil {
			t.Errorf("%s: %+v", text, p)
		}
	}
	if _, err := readPlan(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no plan: %v", err)
	}
}

// The archive has what the kernel and the Go runtime need, and the program unchanged:
// cpio reads it.
func TestRamdiskHasTheProgram(t *testing.T) {
	for size := range 9 { // each padding
		program := strings.Repeat("x", 1000+size)
		dir := t.TempDir()
		file := filepath.Join(dir, "init")
		if err := os.WriteFile(file, []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
		archive := filepath.Join(dir, "ramdisk")
		if err := writeRamdisk(archive, file); err != nil {
			t.Fatal(err)
		}
		got := unpack(t, archive)
		if got["init"] != program {
			t.Errorf("%d bytes of init, want %d", len(got["init"]), len(program))
		}
		for _, name := range []string{"dev", "dev/console", "dev/null"} {
			if _, ok := got[name]; !ok {
				t.Errorf("no %s", name)
			}
		}
	}
	if err := writeRamdisk(filepath.Join(t.TempDir(), "r"), "/nonexistent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

// unpack reads an archive as the kernel does: init/initramfs.c.
func unpack(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	hex := func(i int) (v int) {
		for _, c := range string(text[6+8*i : 14+8*i]) {
			v = 16*v + strings.IndexRune("0123456789ABCDEF", c)
		}
		return v
	}
	found := map[string]string{}
	for {
		if len(text) < 110 || string(text[:6]) != "070701" {
			t.Fatalf("%d bytes left and no header", len(text))
		}
		size, length := hex(6), hex(11)
		at := (110 + length + 3) &^ 3
		name := string(text[110 : 110+length-1])
		if name == "TRAILER!!!" {
			return found
		}
		found[name] = string(text[at : at+size])
		text = text[(at+size+3)&^3:]
	}
}
