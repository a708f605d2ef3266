// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"fmt"
	"os"
)

// The device nodes without which neither the kernel nor the Go runtime starts /init,
// by Documentation/admin-guide/devices.txt.
var nodes = []struct {
	name         string
	major, minor int
}{{"dev/console", 5, 1}, {"dev/null", 1, 3}}

// Types of files, of <linux/stat.h>.
const (
	isFolder = 0o040000
	isDevice = 0o020000
	isFile   = 0o100000
)

// writeRamdisk writes an initramfs whose /init is a program, which must be linked
// statically.
func writeRamdisk(file, program string) error {
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(file, ramdisk(text), 0o600)
}

// ramdisk is a cpio archive in the format "newc"
// (Documentation/driver-api/early-userspace/buffer-format.rst).
func ramdisk(init []byte) []byte {
	var b bytes.Buffer
	add := func(name string, mode, major, minor int, data []byte) {
		// magic, ino, mode, uid, gid, nlink, mtime, size, device, device of the node, size of
		// the name, checksum
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
			b.Len()+1, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
		b.WriteString(name + "\x00")
		pad(&b)
		b.Write(data)
		pad(&b)
	}
	add("dev", isFolder|0o755, 0, 0, nil)
	for _, n := range nodes {
		add(n.name, isDevice|0o600, n.major, n.minor, nil)
	}
	add("init", isFile|0o755, 0, 0, init)
	add("TRAILER!!!", 0, 0, 0, nil)
	return b.Bytes()
}

func pad(b *bytes.Buffer) { b.Write(make([]byte, -b.Len()&3)) }
