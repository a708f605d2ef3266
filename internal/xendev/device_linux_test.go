// SPDX-License-Identifier: Apache-2.0

package xendev

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestMissingNodeNamesTheModule(t *testing.T) {
	_, err := Open("/dev/xen/no-such-node", "xen-example")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "xen-example") {
		t.Errorf("error %v", err)
	}
}

func TestClosedDeviceIsAnError(t *testing.T) {
	d, err := Open("/dev/zero", "")
	if err != nil {
		t.Fatal(err)
	}
	page, err := d.Mmap(0, 4096, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		t.Fatal(err)
	}
	var arg int
	if _, err := d.Ioctl(unix.TCGETS, unsafe.Pointer(&arg)); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("ioctl of /dev/zero: %v, want ENOTTY", err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	page[0] = 1 // the mapping outlives the node
	if err := unix.Munmap(page); err != nil {
		t.Error(err)
	}
	if _, err := d.Ioctl(unix.TCGETS, unsafe.Pointer(&arg)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("ioctl after Close: %v, want os.ErrClosed", err)
	}
	if _, err := d.Mmap(0, 4096, unix.PROT_READ); !errors.Is(err, os.ErrClosed) {
		t.Errorf("mmap after Close: %v, want os.ErrClosed", err)
	}
}
