// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vlibos/vlibos/lab/labproto"
)

// ingredients makes a machine of small files.
func ingredients(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("the contents of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ramdisk, err := os.OpenFile(file("ramdisk"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ramdisk.Close() })
	m := &machine{base: "a base", plan: labproto.Plan{Domains: []labproto.DomU{{Name: "vlib1", Config: "vcpus = 1\n"}}}}
	m.CPUs, m.MemoryMiB, m.HypervisorArgs, m.KernelArgs, m.Port = 2, 1024, "sched=credit2", "quiet", labproto.Port
	m.emulator, m.Hypervisor, m.Kernel, m.Ramdisk = file("qemu"), file("xen"), file("vmlinux"), ramdisk
	return m
}

func TestEveryChangedIngredientIsAnotherMachine(t *testing.T) {
	const emulator = "7.2.18 (Debian 1:7.2+dfsg-7+deb12u16)"
	key := func(m *machine, emulator string) string {
		t.Helper()
		k, err := m.key(emulator)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := key(ingredients(t), emulator)
	if again := key(ingredients(t), emulator); again != first {
		t.Errorf("the same ingredients at another path: %s, %s", first, again)
	}
	if other := key(ingredients(t), "7.2.18 (Debian 1:7.2+dfsg-7+deb12u17)"); other == first {
		t.Error("another build of the emulator gives the same machine")
	}
	flip := func(name string) func(*machine) error {
		return func(m *machine) error {
			path := map[string]string{"qemu": m.emulator, "xen": m.Hypervisor, "vmlinux": m.Kernel, "ramdisk": m.Ramdisk.Name()}[name]
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[3] ^= 1
			return os.WriteFile(path, data, 0o644)
		}
	}
	set := func(change func(*machine)) func(*machine) error {
		return func(m *machine) error { change(m); return nil }
	}
	for what, change := range map[string]func(*machine) error{
		"a byte of the emulator":     flip("qemu"),
		"a byte of the hypervisor":   flip("xen"),
		"a byte of the kernel":       flip("vmlinux"),
		"a byte of the ramdisk":      flip("ramdisk"),
		"the host's processor":       set(func(m *machine) { m.processor = "another" }),
		"the packages":               set(func(m *machine) { m.base = "another base" }),
		"the mode":                   set(func(m *machine) { m.Counted = true }),
		"the number of CPUs":         set(func(m *machine) { m.CPUs = 3 }),
		"the memory":                 set(func(m *machine) { m.MemoryMiB = 2048 }),
		"the hypervisor's arguments": set(func(m *machine) { m.HypervisorArgs = "sched=credit" }),
		"the kernel's arguments":     set(func(m *machine) { m.KernelArgs = "debug" }),
		"a disk":                     set(func(m *machine) { m.Disks = []*os.File{m.Ramdisk} }),
		"a shared file":              set(func(m *machine) { m.Shared, m.SharedBytes = m.Ramdisk, 8192 }),
		"a domain's configuration":   set(func(m *machine) { m.plan.Domains[0].Config = "vcpus = 2\n" }),
		"another domain":             set(func(m *machine) { m.plan.Domains = append(m.plan.Domains, labproto.DomU{Name: "vlib2"}) }),
	} {
		m := ingredients(t)
		if err := change(m); err != nil {
			t.Fatal(err)
		}
		if key(m, emulator) == first {
			t.Errorf("a change of %s gives the same machine", what)
		}
	}
}
