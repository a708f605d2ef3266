// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"os"
	"slices"
	"strings"
	"testing"
)

var machine = Machine{
	CPUs: 3, MemoryMiB: 1500, Hypervisor: "/c/xen", Kernel: "/c/vmlinux",
	HypervisorArgs: "com1=115200,8n1 spec-ctrl=eager-fpu", KernelArgs: "console=hvc0 panic=1", Port: "org.example",
}

// value returns the argument that follows a flag.
func value(t *testing.T, args []string, flag string) string {
	t.Helper()
	i := slices.Index(args, flag)
	if i < 0 || i+1 >= len(args) {
		t.Fatalf("no %s in %q", flag, args)
	}
	return args[i+1]
}

func TestArgumentsNameTheMachinesParts(t *testing.T) {
	for _, counted := range []bool{false, true} {
		m := machine
		m.Counted = counted
		a, err := m.arguments(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		args := a.list
		for flag, want := range map[string]string{
			"-smp": "3", "-m": "1500", "-cpu": "max,-smap,-smep,-pku,-la57,-x2apic,-erms,-fsrm",
			"-kernel": "/c/xen", "-append": m.HypervisorArgs,
			"-initrd":  "/c/vmlinux console=hvc0 panic=1,/proc/self/fd/5",
			"-chardev": "socket,id=monitor,fd=3",
			"-accel":   map[bool]string{false: "tcg,thread=multi", true: "tcg,thread=single"}[counted],
		} {
			if got := value(t, args, flag); got != want {
				t.Errorf("counted %v: %s %q, want %q", counted, flag, got, want)
			}
		}
		if slices.Contains(args, "-icount") != counted {
			t.Errorf("counted %v: %q", counted, args)
		}
		if counted && value(t, args, "-rtc") != "base=2026-01-01T00:00:00,clock=vm" {
			t.Errorf("clock: %q", args)
		}
		if !slices.Contains(args, "-no-reboot") || strings.Contains(strings.Join(args, " "), "kvm") {
			t.Errorf("arguments %q", args)
		}
	}
}

// Without a hypervisor, the kernel and its arguments are QEMU's own, and may have commas.
func TestKernelAloneIsBootedDirectly(t *testing.T) {
	m := machine
	m.Hypervisor, m.HypervisorArgs, m.KernelArgs = "", "", "console=ttyS0 rdt=cmt,!mba"
	a, err := m.arguments(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{"-kernel": "/c/vmlinux", "-append": m.KernelArgs, "-initrd": "/proc/self/fd/5"} {
		if got := value(t, a.list, flag); got != want {
			t.Errorf("%s %q, want %q", flag, got, want)
		}
	}
	alone, err := m.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if with, err := machine.Identity(); err != nil || with == alone {
		t.Errorf("it has the identity of a machine with a hypervisor: %v", err)
	}
}

func TestCommasAndSpacesAreRefused(t *testing.T) {
	for _, change := range []func(*Machine){
		func(m *Machine) { m.Kernel = "/a,b/vmlinux" },
		func(m *Machine) { m.Kernel = "/a b/vmlinux" },
		func(m *Machine) { m.KernelArgs = "console=ttyS0,115200" },
	} {
		m := machine
		change(&m)
		if a, err := m.arguments(nil, nil); err == nil {
			t.Errorf("accepted %q", a.list)
		}
	}
}

func TestLastCPUHasANodeWithoutMemory(t *testing.T) {
	for cpus, want := range map[int]string{2: "node,nodeid=0,memdev=node,cpus=0 node,nodeid=1,cpus=1", 5: "node,nodeid=0,memdev=node,cpus=0-3 node,nodeid=1,cpus=4"} {
		m := machine
		m.CPUs, m.EmptyNode = cpus, true
		a, err := m.arguments(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var nodes []string
		for i, arg := range a.list[1:] {
			if a.list[i] == "-numa" {
				nodes = append(nodes, arg)
			}
		}
		if got := strings.Join(nodes, " "); got != want || value(t, a.list, "-object") != "memory-backend-ram,id=node,size=1500M" {
			t.Errorf("%d CPUs: %q, want %q", cpus, got, want)
		}
	}
}

func TestPluginGetsTheSharedFile(t *testing.T) {
	m := machine
	m.Plugin, m.Shared, m.SharedBytes = "/c/memory.so", os.Stdin, 8192
	a, err := m.arguments(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	args := a.list
	if got := value(t, args, "-plugin"); got != "file=/c/memory.so,counters=/proc/self/fd/6" {
		t.Errorf("plugin %q", got)
	}
	if got := value(t, args, "-object"); got != "memory-backend-file,id=shared,share=on,size=8192,mem-path=/proc/self/fd/6" {
		t.Errorf("shared memory %q", got)
	}
	if !slices.Contains(args, "ivshmem-plain,memdev=shared,master=on") {
		t.Errorf("no device in %q", args)
	}
	counted := machine
	counted.Plugin, counted.Profile, counted.Counted = "/c/profile.so", os.Stdin, true
	if a, err = counted.arguments(nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := value(t, a.list, "-plugin"); got != "file=/c/profile.so,counts=/proc/self/fd/6" {
		t.Errorf("plugin %q", got)
	}
	for _, change := range []func(*Machine){
		func(m *Machine) { m.Plugin = "/a,b/memory.so" },
		func(m *Machine) { m.Counted = true },
		func(m *Machine) { m.Shared = nil },
	} {
		m := m
		change(&m)
		if a, err := m.arguments(nil, nil); err == nil {
			t.Errorf("accepted %q", a.list)
		}
	}
}
