// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNegativeResultsAreErrnos(t *testing.T) {
	for r, want := range map[uint64]error{
		0: nil, 1: nil, 1 << 32: nil, ^uint64(0): unix.EPERM,
		^uint64(unix.EAGAIN) + 1: unix.EAGAIN, ^uint64(4095) + 1: unix.Errno(4095), ^uint64(4096) + 1: nil,
	} {
		got, err := result(r)
		if err != want || err == nil && got != r {
			t.Errorf("%#x: %d, %v, want %v", r, got, err, want)
		}
	}
}

// The instruction ends a program without Xen below it.
func TestInstructionOnlyWhereItIsServed(t *testing.T) {
	for _, tt := range []struct {
		hypervisor, guest string
		served            bool
		says              string
	}{
		{"", "", false, "not a guest of Xen"},
		{"kvm\n", "", false, "not a guest of Xen"},
		{"xen\n", "", false, "cannot determine"},
		{"xen\n", "PV\n", false, "PV guest"},
		{"xen\n", "PVH\n", true, ""},
		{"xen\n", "HVM\n", true, ""},
	} {
		root := t.TempDir()
		dir := filepath.Join(root, "sys/hypervisor")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"type": tt.hypervisor, "guest_type": tt.guest} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		err := servesInstruction(root)
		if (err == nil) != tt.served || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestOpenDirectOutsideOfXenIsAnError(t *testing.T) {
	if servesInstruction("/") == nil {
		t.Skip("this is a guest of Xen; the lab tests cover it")
	}
	_, err := OpenDirect()
	var op *OpError
	if !errors.As(err, &op) {
		t.Errorf("%v", err)
	}
}

func TestVendorIsRead(t *testing.T) {
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	amd := strings.Contains(string(cpuinfo), "AuthenticAMD") || strings.Contains(string(cpuinfo), "HygonGenuine")
	if cpuVendorAMD() != amd {
		t.Errorf("AMD: %v, /proc/cpuinfo says %v", cpuVendorAMD(), amd)
	}
}
