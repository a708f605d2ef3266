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

// file is one of a ramdisk, which the kernel unpacks into memory.
type file struct {
	name string
	text []byte
}

// writeRamdisk writes a [ramdisk] to a file.
func writeRamdisk(name, program string, others ...file) error {
	init, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(name, ramdisk(init, others...), 0o600)
}

// ramdisk is an initramfs with a program as /init, which must be linked statically, and
// other programs: a cpio archive in the format "newc"
// (Documentation/driver-api/early-userspace/buffer-format.rst).
func ramdisk(init []byte, others ...file) []byte {
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
	for _, dir := range []string{"dev", modulesDir} {
		add(dir, isFolder|0o755, 0, 0, nil)
	}
	for _, n := range nodes {
		add(n.name, isDevice|0o600, n.major, n.minor, nil)
	}
	for _, f := range append(others, file{"init", init}) {
		add(f.name, isFile|0o755, 0, 0, f.text)
	}
	add("TRAILER!!!", 0, 0, 0, nil)
	return b.Bytes()
}

func pad(b *bytes.Buffer) { b.Write(make([]byte, -b.Len()&3)) }
