// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/labproto"
)

// delivery is what comes to a machine after it was saved: this project's programs and
// the run's files, on one disk for Dom0 and one for the DomUs. The disks are files in
// memory; they are empty until [delivery.put].
type delivery struct {
	dom0, domu []File
	fixed      bool // two runs must be equal: no clock, no random numbers
	disks      []*os.File
}

func newDelivery(c Config, bin string) (*delivery, error) {
	d := &delivery{fixed: c.Mode == Counted}
	var err error
	if d.dom0, err = programs(bin, dom0Programs); err != nil {
		return nil, err
	}
	if d.domu, err = programs(bin, domuPrograms); err != nil {
		return nil, err
	}
	d.dom0, d.domu = append(d.dom0, c.Add...), append(d.domu, c.DomUAdd...)
	for _, files := range [][]File{d.dom0, d.domu} {
		if err := resolve(files); err != nil {
			return nil, err
		}
		if err := check(files); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"dom0", "domu"} {
		f, err := memoryFile(name)
		if err != nil {
			d.close()
			return nil, err
		}
		d.disks = append(d.disks, f)
		if err := f.Truncate(labproto.DiskBytes); err != nil {
			d.close()
			return nil, err
		}
	}
	return d, nil
}

// resolve follows links at the files' guest paths, which may lead to folders, and
// completes guest paths that name only a folder.
func resolve(files []File) error {
	for i, f := range files {
		if strings.HasSuffix(f.Guest, "/") {
			files[i].Guest = path.Join(f.Guest, filepath.Base(f.Host))
		}
		host, err := filepath.EvalSymlinks(f.Host)
		if err != nil {
			return err
		}
		files[i].Host = host
	}
	return nil
}

var errTooMuch = fmt.Errorf("the files take more than %d MiB, which is the limit of a run", int64(labproto.DiskBytes)>>20)

// check returns an error for files that cannot be delivered. It is called before a
// machine boots, and before the files are read, each as a whole.
func check(files []File) error {
	var total int64
	for _, f := range files {
		err := filepath.WalkDir(f.Host, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Type() == fs.ModeSymlink {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() {
				return fmt.Errorf("%s is not a regular file", name)
			}
			if total += info.Size(); total > labproto.DiskBytes-labproto.DiskBlock {
				return errTooMuch
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("add %s: %w", f.Guest, err)
		}
	}
	return nil
}

func (d *delivery) close() {
	for _, f := range d.disks {
		f.Close()
	}
}

// hasServer reports whether the DomUs have a server to wait for.
func (d *delivery) hasServer() bool {
	return slices.ContainsFunc(d.domu, func(f File) bool { return path.Clean(f.Guest) == "/usr/bin/"+serverName })
}

// put fills the disks. The machine must be stopped.
func (d *delivery) put() error {
	for i, files := range [][]File{d.dom0, d.domu} {
		if err := d.fill(d.disks[i], files); err != nil {
			return fmt.Errorf("copy files to %s: %w", d.disks[i].Name(), err)
		}
	}
	return nil
}

func (d *delivery) fill(disk *os.File, files []File) error {
	w := &limitedWriter{w: io.NewOffsetWriter(disk, labproto.DiskBlock), left: labproto.DiskBytes - labproto.DiskBlock}
	a := image.NewArchive(w)
	for _, f := range files {
		a.HostTree(f.Guest, f.Host)
	}
	if err := a.Close(); err != nil {
		return err
	}
	header := labproto.DiskHeader{Bytes: labproto.DiskBytes - labproto.DiskBlock - w.left}
	if !d.fixed {
		header.UnixNano = time.Now().UnixNano()
		header.Seed = make([]byte, 64)
		rand.Read(header.Seed)
	}
	block, err := header.Encode()
	if err != nil {
		return err
	}
	_, err = disk.WriteAt(block, 0)
	return err
}

// limitedWriter fails when a disk is full.
type limitedWriter struct {
	w    io.Writer
	left int64
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errTooMuch
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	return n, err
}

// memoryFile makes an unnamed file in memory. It ends with the last process that has
// it open, however this one ends.
func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate("vliblab-"+name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory for %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
