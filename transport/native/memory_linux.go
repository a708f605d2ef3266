// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// seals keep the other side from shrinking the memory under a reader, which
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

// mapMemory maps size bytes of f, which came from another process.
func mapMemory(f *os.File, size int) ([]byte, error) {
	got, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || got&seals != seals {
		return nil, fmt.Errorf("channel memory is not a memfd sealed against resizing (seals %#x, %v)", got, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() != int64(size) {
		return nil, fmt.Errorf("channel memory is %d bytes, asked for %d", st.Size(), size)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return mem, os.NewSyscallError("mmap", err)
}
