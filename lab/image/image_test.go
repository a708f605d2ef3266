// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"

	"github.com/vlibos/vlibos/lab/debs"
)

// list reads a segment: "mode name[ -> target][=contents]" for each entry.
func list(t *testing.T, segment []byte) []string {
	t.Helper()
	var out []string
	r := cpio.NewReader(bytes.NewReader(segment))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%o %s", h.Mode, h.Name)
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		if h.Size > 0 {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			line += "=" + string(data)
		}
		out = append(out, line)
	}
}

func write(t *testing.T, name, text string, perm os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
}

func TestArchiveHasItsEntriesAndTheirFolders(t *testing.T) {
	host := t.TempDir()
	write(t, filepath.Join(host, "tree/run.sh"), "run", 0o700)
	write(t, filepath.Join(host, "tree/sub/data"), "data", 0o600)
	if err := os.Symlink("sub/data", filepath.Join(host, "tree/link")); err != nil {
		t.Fatal(err)
	}
	fill := func() []byte {
		var b bytes.Buffer
		a := NewArchive(&b)
		a.File("/etc/xen/a.cfg", 0o644, []byte("abc"))
		a.File("/bin/x", 0o755, nil)
		a.Symlink("bin", "usr/bin")
		a.HostTree("/opt/", filepath.Join(host, "tree"))
		a.HostTree("/lib/y", filepath.Join(host, "tree/sub/data"))
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	segment := fill()
	want := []string{
		"40755 etc", "40755 etc/xen", "100644 etc/xen/a.cfg=abc", "40755 usr", "40755 usr/bin", "100755 usr/bin/x",
		"120777 bin -> usr/bin", "40755 opt", "40755 opt/tree", "120777 opt/tree/link -> sub/data",
		"100755 opt/tree/run.sh=run", "40755 opt/tree/sub", "100644 opt/tree/sub/data=data", "40755 usr/lib", "100644 usr/lib/y=data",
	}
	if got := list(t, segment); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(segment)%4 != 0 {
		t.Errorf("%d bytes: the next segment is not aligned", len(segment))
	}
	if !bytes.Equal(segment, fill()) {
		t.Error("equal input made different bytes")
	}
}

func TestArchiveReturnsTheFirstError(t *testing.T) {
	a := NewArchive(io.Discard)
	a.HostTree("/x", filepath.Join(t.TempDir(), "gone"))
	a.File("/y", 0o644, nil)
	if err := a.Close(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "/x") {
		t.Errorf("got %v", err)
	}
}

func TestTreeFollowsLinksWithinIt(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "lib/x86_64-linux-gnu/libz.so.1.2"), "z", 0o644)
	write(t, filepath.Join(dir, "usr/bin/tool"), "t", 0o755)
	for name, target := range map[string]string{
		"lib/x86_64-linux-gnu/libz.so.1": "libz.so.1.2",
		"usr/bin/abs":                    "/lib/x86_64-linux-gnu/libz.so.1",
		"usr/bin/loop":                   "loop",
		"usr/bin/out":                    "../../../../../../etc/passwd",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := ReadTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "lib/x86_64-linux-gnu/libz.so.1.2")
	for _, name := range []string{"/usr/lib/x86_64-linux-gnu/libz.so.1", "/lib/x86_64-linux-gnu/libz.so.1", "/usr/bin/abs"} {
		if got, ok := tree.Host(name); !ok || got != want {
			t.Errorf("%s is %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{"/usr/bin/loop", "/usr/bin/out", "/usr/bin/none"} {
		if got, ok := tree.Host(name); ok {
			t.Errorf("%s is %q, which is outside the packages", name, got)
		}
	}
	if got := tree.Glob("/usr/bin/t*"); len(got) != 1 || got[0] != "/usr/bin/tool" {
		t.Errorf("glob: %q", got)
	}
}

// module makes an ELF file with nothing but a .modinfo section.
func module(info string) []byte {
	const names = "\x00.modinfo\x00.shstrtab\x00"
	var b bytes.Buffer
	header := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	header.Shoff = uint64(64 + len(info) + len(names))
	binary.Write(&b, binary.LittleEndian, header)
	b.WriteString(info + names)
	binary.Write(&b, binary.LittleEndian, []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: 64, Size: uint64(len(info))},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(64 + len(info)), Size: uint64(len(names))},
	})
	return b.Bytes()
}

func TestModulesComeWithTheirDependencies(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "lib/modules/6.1/")
	for name, depends := range map[string]string{
		"virtio_pci": "virtio_ring,virtio-pci-dev,virtio", "virtio": "virtio_ring", "virtio_ring": "",
		"virtio-pci-dev": "builtin-one", "unwanted": "", "broken": "nowhere",
	} {
		write(t, filepath.Join(base, "kernel/drivers", name+".ko"), string(module("license=GPL\x00depends="+depends+"\x00name=x\x00")), 0o644)
	}
	write(t, filepath.Join(base, "modules.builtin"), "kernel/lib/builtin-one.ko\n", 0o644)
	tree, err := ReadTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := tree.kernelModules("6.1")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	a := NewArchive(&b)
	if err := m.addTo(a, "virtio_pci", "builtin_one"); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(list(t, b.Bytes()), "\n")
	if !strings.Contains(got, "virtio_pci.ko: virtio_pci_dev.ko virtio.ko virtio_ring.ko\n") {
		t.Errorf("order of modules.dep:\n%q", got)
	}
	if strings.Contains(got, "unwanted") || strings.Contains(got, "6.1/builtin") || strings.Count(got, "100644 usr/lib/modules/6.1/virtio") != 4 {
		t.Errorf("modules in the image:\n%.2000q", got)
	}
	if err := m.addTo(NewArchive(io.Discard), "broken"); err == nil || !strings.Contains(err.Error(), "nowhere, which broken needs") {
		t.Errorf("missing dependency: %v", err)
	}
	if _, err := tree.kernelModules("6.2"); err == nil {
		t.Error("found modules of a missing kernel")
	}
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.Bytes()
}

func TestVmlinuxIsExtractedFromABzImage(t *testing.T) {
	const payloadAt = 5 * 512
	image := func(payload []byte) []byte {
		bz := make([]byte, payloadAt)
		bz[0x1f1] = 3
		copy(bz[0x202:], "HdrS\x0f\x02")
		binary.LittleEndian.PutUint32(bz[0x248:], 512)
		binary.LittleEndian.PutUint32(bz[0x24c:], uint32(len(payload)))
		return append(bz, payload...)
	}
	kernel := "\x7fELF and the rest of a kernel"
	if got, err := vmlinux(image(gzipped(kernel))); err != nil || string(got) != kernel {
		t.Errorf("gzip: %q, %v", got, err)
	}
	if _, err := vmlinux(image([]byte("LZO? and something"))); err == nil {
		t.Error("an unknown compression is accepted")
	}
	cut := image(gzipped(kernel))
	for n := range len(cut) {
		if _, err := vmlinux(cut[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are accepted", n, len(cut))
		}
	}
	old := image(gzipped(kernel))
	old[0x206] = 7
	if _, err := vmlinux(old); err == nil {
		t.Error("an old boot protocol is accepted")
	}
}

func TestKeyNamesThePackagesAndTheBuilder(t *testing.T) {
	a, b := debs.Package{Name: "a", Version: "1", SHA256: "x"}, debs.Package{Name: "b", Version: "1", SHA256: "y"}
	k := key([]debs.Package{a, b})
	if k != key([]debs.Package{b, a}) {
		t.Error("the order of packages changes the key")
	}
	newer := b
	newer.SHA256 = "z"
	if k == key([]debs.Package{a, newer}) || k == key([]debs.Package{a}) {
		t.Error("other packages have the same key")
	}
	entries, err := builder.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	// All but doc.go and the files that only move or name finished images.
	if want := len(files) - len([]string{"cache.go", "doc.go", "revision.go", "series.go"}); len(entries) != want {
		t.Errorf("the revision covers %d files of %q: is a new one part of the builder?", len(entries), files)
	}
}
