// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// image is a file as the plugin for two CPUs writes it.
func image() []byte {
	b := make([]byte, Bytes)
	le := binary.LittleEndian
	le.PutUint64(b, magic)
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], 2)
	le.PutUint32(b[16:], 64)
	le.PutUint32(b[20:], 1<<18)
	le.PutUint32(b[24:], 1<<21)
	le.PutUint32(b[28:], 8)
	for i, v := range []uint64{1000, 400, 100, 2_000_000, 5} {
		le.PutUint64(b[4096+64+8*i:], v) // CPU 1
	}
	return b
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// device makes a PCI device in a folder like sysfs.
func device(t *testing.T, dir, vendor, id string, memory []byte) {
	t.Helper()
	write(t, filepath.Join(dir, "vendor"), []byte(vendor+"\n"))
	write(t, filepath.Join(dir, "device"), []byte(id+"\n"))
	write(t, filepath.Join(dir, "enable"), []byte("0\n"))
	write(t, filepath.Join(dir, memoryBAR), memory)
}

func TestCountersOfEachCPUAreRead(t *testing.T) {
	dir := t.TempDir()
	device(t, filepath.Join(dir, "0000:00:01.0"), "0x8086", ivshmemDevice, nil)
	device(t, filepath.Join(dir, "0000:00:02.0"), ivshmemVendor, "0x1000", nil)
	found := filepath.Join(dir, "0000:00:04.0")
	device(t, found, ivshmemVendor, ivshmemDevice, image())
	b, err := openBelow(dir)
	if err != nil {
		t.Fatal(err)
	}
	if on, err := os.ReadFile(filepath.Join(found, "enable")); string(on) != "1" {
		t.Errorf("enable is %q, %v", on, err)
	}
	if b.CPUs() != 2 || b.Geometry() != (Geometry{64, 1 << 18, 1 << 21, 8}) {
		t.Errorf("%d CPUs, %+v", b.CPUs(), b.Geometry())
	}
	c, err := b.Read(1)
	if want := (Counters{1000, 400, 100, 2 * time.Millisecond, 5}); err != nil || c != want || c.Latency() != 20*time.Microsecond {
		t.Errorf("CPU 1: %+v, latency %v, %v", c, c.Latency(), err)
	}
	if zero, err := b.Read(0); err != nil || zero != (Counters{}) || zero.Latency() != 0 {
		t.Errorf("CPU 0: %+v, %v", zero, err)
	}
	if sum := c.Add(c); sum.Since(c) != c {
		t.Errorf("%+v less %+v is %+v", sum, c, sum.Since(c))
	}
	for _, cpu := range []int{-1, 2} {
		if _, err := b.Read(cpu); err == nil {
			t.Errorf("read CPU %d of 2", cpu)
		}
	}
	for _, d := range []time.Duration{-1, MaxService + 1} {
		if err := b.SetService(d); err == nil {
			t.Errorf("took a service time of %v", d)
		}
	}
	if err := b.SetService(7 * time.Microsecond); err != nil || b.Service() != 7*time.Microsecond {
		t.Errorf("service %v, %v", b.Service(), err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(filepath.Join(found, memoryBAR))
	if err != nil || binary.LittleEndian.Uint64(data[64:]) != 7000 {
		t.Errorf("service in the file: %v, %v", data[64:72], err)
	}
}

func TestMachineWithoutModelIsAnError(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Join(dir, "none")} {
		if _, err := openBelow(d); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v", d, err)
		}
	}
}

func TestForeignMemoryIsRefused(t *testing.T) {
	for want, change := range map[string]func([]byte) []byte{
		"another device": func(b []byte) []byte { b[0]++; return b },
		"layout 2":       func(b []byte) []byte { b[8] = 2; return b },
		"0 CPUs":         func(b []byte) []byte { b[12] = 0; return b },
		"8191 bytes":     func(b []byte) []byte { return b[:Bytes-1] },
		"65 CPUs":        func(b []byte) []byte { b[12] = 65; return b },
	} {
		f, err := os.OpenFile(write(t, filepath.Join(t.TempDir(), "file"), change(image())), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		f.Close()
	}
}
