// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// Archive writes one segment of an initramfs: a cpio archive of the format
// "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
// Paths are absolute guest paths. The folders of an entry are added
// automatically; /bin, /sbin, /lib and /lib64 are links into /usr. Every owner is
// root and every time is zero, so that equal input makes equal bytes. After the
// first error the methods do nothing, and Close returns it. It is not safe for
// concurrent use.
type Archive struct {
	out  *counter
	w    *cpio.Writer
	have map[string]bool
	err  error
}

// NewArchive begins a segment on w. The caller closes w after Close.
func NewArchive(w io.Writer) *Archive {
	out := &counter{w: w}
	return &Archive{out: out, w: cpio.NewWriter(out), have: map[string]bool{"/": true}}
}

// Dir adds a folder.
func (a *Archive) Dir(name string) {
	name = merged(name)
	if a.have[name] {
		return
	}
	a.parents(name)
	a.entry(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755, Links: 2}, nil)
}

// File adds a regular file with the given contents.
func (a *Archive) File(name string, perm fs.FileMode, data []byte) {
	name = merged(name)
	a.parents(name)
	a.entry(&cpio.Header{Name: name, Mode: cpio.TypeReg | cpio.FileMode(perm.Perm()), Size: int64(len(data))}, data)
}

// Symlink adds a symbolic link.
func (a *Archive) Symlink(name, target string) {
	name = merged(name)
	a.parents(name)
	a.entry(&cpio.Header{Name: name, Mode: cpio.TypeSymlink | 0o777, Size: int64(len(target))}, []byte(target))
}

// HostFile adds a copy of a regular file of this machine, which is executable if
// the original is.
func (a *Archive) HostFile(name, host string) {
	if a.err != nil {
		return
	}
	info, err := os.Stat(host)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", host)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(host)
	}
	if err != nil {
		a.err = fmt.Errorf("add %s: %w", name, err)
		return
	}
	perm := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		perm = 0o755
	}
	a.File(name, perm, data)
}

// HostTree adds a file of this machine, or a folder with its contents. If name
// ends in a slash, it is the folder in which the copy has the original's name.
func (a *Archive) HostTree(name, host string) {
	if strings.HasSuffix(name, "/") {
		name = path.Join(name, filepath.Base(host))
	}
	err := filepath.WalkDir(host, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(host, p)
		if err != nil {
			return err
		}
		guest := path.Join(name, filepath.ToSlash(rel))
		switch {
		case d.IsDir():
			a.Dir(guest)
		case d.Type() == fs.ModeSymlink && p != host:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			a.Symlink(guest, target)
		default:
			a.HostFile(guest, p)
		}
		return a.err
	})
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("add %s: %w", name, err)
	}
}

// Close ends the segment and pads it to four bytes, to which the next is aligned.
func (a *Archive) Close() error {
	if a.err == nil {
		a.err = a.w.Close()
	}
	if pad := -a.out.n & 3; a.err == nil && pad != 0 {
		_, a.err = a.out.Write(make([]byte, pad))
	}
	return a.err
}

func (a *Archive) parents(name string) {
	if dir := path.Dir(name); dir != "/" {
		a.Dir(dir)
	}
}

func (a *Archive) entry(h *cpio.Header, body []byte) {
	if a.err != nil {
		return
	}
	a.have[h.Name] = true
	h.Name = strings.TrimPrefix(h.Name, "/")
	if a.err = a.w.WriteHeader(h); a.err != nil || len(body) == 0 {
		return
	}
	_, a.err = a.w.Write(body)
}

// merged maps a path to its place in a root with merged /usr.
func merged(name string) string {
	name = path.Clean("/" + name)
	first, rest, _ := strings.Cut(name[1:], "/")
	switch first {
	case "bin", "sbin", "lib", "lib64":
		if rest != "" {
			return "/usr/" + first + "/" + rest
		}
	}
	return name
}

type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, err
}
