// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// Child is a cgroup in another. Inode tells it from a later one with its name.
type Child struct {
	Name  string
	Inode uint64
}

// Children are the cgroups in a directory, by name. The list of the kernel has their
// inodes (getdents64(2)), which [os.ReadDir] would ask for one by one.
func Children(dir string) (all []Child, err error) {
	fail := func(err error) error { return &fs.PathError{Op: "readdir", Path: dir, Err: err} }
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fail(err)
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, errors.Join(fail(err), unix.Close(fd))
		}
		if n == 0 {
			slices.SortFunc(all, func(a, b Child) int { return cmp.Compare(a.Name, b.Name) })
			return all, unix.Close(fd)
		}
		all = appendChildren(all, buf[:n])
	}
}

// The fields of struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name.
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

func appendChildren(all []Child, list []byte) []Child {
	for len(list) > direntName {
		entry := list[:min(int(binary.NativeEndian.Uint16(list[direntLength:])), len(list))]
		if len(entry) <= direntName {
			break
		}
		name, _, _ := bytes.Cut(entry[direntName:], []byte{0})
		if entry[direntType] == unix.DT_DIR && string(name) != "." && string(name) != ".." {
			all = append(all, Child{string(name), binary.NativeEndian.Uint64(entry)})
		}
		list = list[len(entry):]
	}
	return all
}
