// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestParametersAreThoseOfTheCommandLine(t *testing.T) {
	p := parseParameters("quiet vlibos.role=domu a=1 a=2=3 xen_gntalloc.limit=4096 xen_gntalloc.x=y xen_gntallocate.z=1\n")
	if p["vlibos.role"] != "domu" || p["a"] != "2=3" || p["none"] != "" {
		t.Errorf("parameters %v", p)
	}
	if _, ok := p["quiet"]; !ok {
		t.Error("a parameter without a value is lost")
	}
	if got := moduleParameters(p, "xen_gntalloc"); got != "limit=4096 x=y" {
		t.Errorf("module parameters %q", got)
	}
}

func TestModulesDepNamesWhatToLoadFirst(t *testing.T) {
	got := parseModulesDep("virtio_pci.ko: virtio_pci_dev.ko virtio.ko virtio_ring.ko\nvirtio_ring.ko:\n\ngarbage\n")
	want := map[string][]string{"virtio_pci": {"virtio_ring", "virtio", "virtio_pci_dev"}, "virtio_ring": nil}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWaitDoublesUpToTheLimit(t *testing.T) {
	var b backoff
	for i, step := range []struct{ ran, wait time.Duration }{
		{0, 100 * time.Millisecond},
		{time.Second, 200 * time.Millisecond},
		{0, 400 * time.Millisecond},
		{backoffLimit, 100 * time.Millisecond},
		{0, 200 * time.Millisecond},
	} {
		if got := b.next(step.ran); got != step.wait {
			t.Errorf("step %d: %v, want %v", i, got, step.wait)
		}
	}
	for range 20 {
		b.next(0)
	}
	if got := b.next(0); got != backoffLimit {
		t.Errorf("finally %v, want %v", got, backoffLimit)
	}
}

func TestLookPathUsesThePathOfThePrograms(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := lookPath(plain); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("not executable: %v", err)
	}
	if _, err := lookPath(dir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := lookPath(filepath.Join(dir, "gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
	if _, err := lookPath("no-such-program-anywhere"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "--add") {
		t.Errorf("not in PATH: %v", err)
	}
	if got, err := lookPath("sh"); err != nil || filepath.Base(got) != "sh" {
		t.Errorf("sh: %q, %v", got, err)
	}
}

func TestTailIsTheEndOfConcatenatedFiles(t *testing.T) {
	dir := t.TempDir()
	a, b, out := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "out")
	for name, text := range map[string]string{a: "0123", b: "456789"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := concatenate(out, []string{a, b}); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]string{3: "789", 10: "0123456789", 100: "0123456789"} {
		if got, err := readTail(out, limit); got != want || err != nil {
			t.Errorf("tail of %d: %q, %v", limit, got, err)
		}
	}
	if err := concatenate(out, []string{filepath.Join(dir, "gone")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing part: %v", err)
	}
}

func TestMainRefusesToRunOutsideTheLab(t *testing.T) {
	if got := Main([]string{"vliblab-init"}); got != 2 {
		t.Errorf("status %d, want 2", got)
	}
}

func TestEndOfInputIsTheTerminalsEndOfFile(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	if _, err := (terminalInput{master}).Write([]byte("x\n")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	if n, err := slave.Read(buf); string(buf[:n]) != "x\n" || err != nil {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if err := (terminalInput{master}).Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := slave.Read(buf); n != 0 || err == nil {
		t.Errorf("after the end of input: %d, %v", n, err)
	}
}
