// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
)

// seals prevent the other side from shrinking the memory under a reader, which
// would be a SIGBUS, and from growing it.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// newMemory makes size bytes of zeroed, sealed, shareable memory.
func newMemory(size int) (*os.File, error) {
	fd, err := unix.MemfdCreate("vlibos-channel", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "vlibos-channel")
	if err := f.Truncate(int64(size)); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal channel memory: %w", err)
	}
	return f, nil
}

// mapMemory maps size bytes of fd, which came from another process. It must be
// a memfd on tmpfs: elsewhere a missing page may be a SIGBUS (hugetlbfs) or
// wait for another process (FUSE). Only memfds have seals, and reading them
// involves no file system, so they are checked first.
func mapMemory(fd, size int) ([]byte, error) {
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || got&seals != seals {
		return nil, fmt.Errorf("%w: channel memory is not a memfd sealed against resizing (seals %#x, %v)", vlibcall.ErrProtocol, got, err)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		return nil, fmt.Errorf("%w: channel memory is of file system %#x, want tmpfs (%v)", vlibcall.ErrProtocol, fs.Type, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size != int64(size) {
		return nil, fmt.Errorf("%w: channel memory is %d bytes, asked for %d (%v)", vlibcall.ErrProtocol, st.Size, size, err)
	}
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("%w: channel memory cannot be written (%w)", vlibcall.ErrProtocol, err)
	}
	return mem, os.NewSyscallError("mmap", err)
}

// Lent is a channel's memory while its client may have it, by its descriptor,
// by duplicates, by mappings. The memory stays allocated until the last of them
// is gone, whatever this side closes. One goroutine at a time may use it.
type Lent struct{ own *os.File }

// lend turns new memory, which it takes over, into the client's file and a
// watch over it. The client's is an open file of its own, which it can
// duplicate; it cannot open another one, because the file's mode allows no
// access.
func lend(fresh *os.File) (client *os.File, _ *Lent, err error) {
	// A file counts as opened for writing if it was opened by name; the
	// descriptor of memfd_create does not.
	own, err := os.OpenFile(fdPath(fresh), os.O_RDWR, 0)
	fresh.Close() // own has the same file open
	if err != nil {
		return nil, nil, err
	}
	l := &Lent{own}
	if err := l.lease(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("channel memory: fcntl F_SETLEASE: %w (/proc/sys/fs/leases-enable must be 1)", err), l.Close())
	}
	_, err = unix.FcntlInt(own.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	if err == nil {
		client, err = os.OpenFile(fdPath(own), os.O_RDWR, 0)
	}
	if err == nil {
		err = own.Chmod(0)
	}
	if err != nil {
		if client != nil {
			err = errors.Join(err, client.Close())
		}
		return nil, nil, errors.Join(err, l.Close())
	}
	return client, l, nil
}

func fdPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// lease succeeds if there is no other open file of the memory: the kernel
// grants a write lease to a sole user only (fcntl(2), F_SETLEASE).
func (l *Lent) lease() error {
	_, err := unix.FcntlInt(l.own.Fd(), unix.F_SETLEASE, unix.F_WRLCK)
	return err
}

// Released reports whether the client has released the memory. Then Close frees
// it.
func (l *Lent) Released() bool { return !errors.Is(l.lease(), unix.EAGAIN) }

// Close frees this side's memory; afterwards the client's references are
// unknown. It may be called on nil.
func (l *Lent) Close() error {
	if l == nil {
		return nil
	}
	return l.own.Close()
}
