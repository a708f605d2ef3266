// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
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

// The archive has what the kernel and the Go runtime need, and the programs unchanged.
func TestRamdiskHasThePrograms(t *testing.T) {
	for size := range 9 { // each padding
		program := strings.Repeat("x", 1000+size)
		got := unpack(t, ramdisk([]byte(program), file{serverFile, []byte(program[size:])}))
		if got["init"] != program || got[serverFile] != program[size:] {
			t.Errorf("%d bytes of init, want %d; %d of the server", len(got["init"]), len(program), len(got[serverFile]))
		}
		for _, name := range []string{"dev", "dev/console", "dev/null", modulesDir} {
			if _, ok := got[name]; !ok {
				t.Errorf("no %s", name)
			}
		}
	}
	if err := writeRamdisk(filepath.Join(t.TempDir(), "r"), "/nonexistent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

// A kernel's modules are those of its release, unpacked if they are packed.
func TestModulesAreOfTheKernelsRelease(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "6.1.0-44-amd64/kernel/drivers/xen")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte("grants"))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"xen-evtchn.ko": []byte("events"), "xen-gntalloc.ko.gz": packed.Bytes(), "xen-gntdev.ko": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := modulesOf(t.Context(), root, "/boot/vmlinuz-6.1.0-44-amd64")
	want := []file{{"modules/xen-evtchn.ko", []byte("events")}, {"modules/xen-gntalloc.ko", []byte("grants")}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "xen-privcmd.ko.gz"), []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := modulesOf(t.Context(), root, "/boot/vmlinuz-6.1.0-44-amd64"); err == nil {
		t.Error("a module that is no archive was unpacked")
	}
	for _, kernel := range []string{"/boot/vmlinuz-6.12.0-1-amd64", "/boot/bzImage"} {
		if _, err := modulesOf(t.Context(), root, kernel); !errors.As(err, new(impossibleError)) || !strings.Contains(err.Error(), "--kernel") {
			t.Errorf("%s: %v", kernel, err)
		}
	}
}

// unpack reads an archive as the kernel does: init/initramfs.c.
func unpack(t *testing.T, text []byte) map[string]string {
	t.Helper()
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
