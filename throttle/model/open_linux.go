// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The PCI device of the counters (QEMU, docs/specs/ivshmem-spec.txt).
const (
	devices       = "/sys/bus/pci/devices"
	ivshmemVendor = "0x1af4"
	ivshmemDevice = "0x1110"
	memoryBAR     = "resource2"
)

// Open finds the model on this machine's PCI bus, enables the device and maps
// it. It needs root. The error is [ErrAbsent] where there is none.
func Open() (*Bus, error) { return openBelow(devices) }

func openBelow(dir string) (*Bus, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("look for a modelled memory bus: %w", err)
	}
	for _, e := range entries {
		device := filepath.Join(dir, e.Name())
		if attribute(device, "vendor") == ivshmemVendor && attribute(device, "device") == ivshmemDevice {
			return openDevice(device)
		}
	}
	return nil, ErrAbsent
}

// attribute returns "" if it cannot be read: then the device is another one.
func attribute(device, name string) string {
	data, err := os.ReadFile(filepath.Join(device, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func openDevice(device string) (*Bus, error) {
	// Without a driver the device's memory is not enabled.
	if err := os.WriteFile(filepath.Join(device, "enable"), []byte("1"), 0); err != nil {
		return nil, fmt.Errorf("switch the modelled memory bus on: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(device, memoryBAR), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the modelled memory bus: %w", err)
	}
	defer f.Close()
	return OpenFile(f)
}

// OpenFile maps the shared file itself, as the lab does outside of the machine.
// The caller keeps the file and may close it.
func OpenFile(f *os.File) (*Bus, error) {
	// An access behind the end of the file would be a fault.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < Bytes {
		return nil, fmt.Errorf("modelled memory bus: %s has %d bytes, expected %d", f.Name(), info.Size(), Bytes)
	}
	memory, err := mapFile(f)
	if err != nil {
		return nil, err
	}
	l, err := view(memory)
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(memory))
	}
	return &Bus{l, func() error { return unix.Munmap(memory) }}, nil
}

func mapFile(f *os.File) (memory []byte, err error) {
	fd, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var inner error
	if err := fd.Control(func(fd uintptr) {
		memory, inner = unix.Mmap(int(fd), 0, Bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}); err != nil {
		return nil, err
	}
	if inner != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), inner)
	}
	return memory, nil
}
