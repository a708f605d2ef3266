// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/cavaliergopher/cpio"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/labproto"
)

// pollDisk is the time between two looks at an empty disk.
const pollDisk = 50 * time.Millisecond

// receiveFiles waits until the run's files are on a disk. It sets the clock and
// adds to the random numbers as the disk's header says, and unpacks the files into
// the root file system, where they replace others.
func receiveFiles(device string) error {
	f, err := openDisk(device)
	if err != nil {
		return err
	}
	defer f.Close()
	header, err := awaitHeader(f)
	if err != nil {
		return err
	}
	if header.UnixNano != 0 {
		now := unix.NsecToTimespec(header.UnixNano)
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
			return fmt.Errorf("set the clock: %w", err)
		}
	}
	if len(header.Seed) > 0 {
		// The DomUs share one disk, and each has a name.
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		if err := addRandomness(append(header.Seed, name...)); err != nil {
			return err
		}
	}
	archive := io.NewSectionReader(f, labproto.DiskBlock, header.Bytes)
	if err := unpack(bufio.NewReaderSize(archive, 1<<20), "/"); err != nil {
		if errors.Is(err, unix.ENOSPC) {
			err = fmt.Errorf("%w: files may use half of a domain's memory: give it more", err)
		}
		return fmt.Errorf("unpack the run's files from %s: %w", device, err)
	}
	return nil
}

// openDisk opens a disk, which may not have appeared yet.
func openDisk(device string) (*os.File, error) {
	const tries = 200
	for i := range tries {
		f, err := os.Open(device)
		if err == nil {
			return f, nil
		}
		if i == tries-1 || !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	panic("unreachable")
}

func awaitHeader(f *os.File) (labproto.DiskHeader, error) {
	block := make([]byte, labproto.DiskBlock)
	for {
		// The disk changes without the kernel: discard what it has read.
		if err := unix.IoctlSetInt(int(f.Fd()), unix.BLKFLSBUF, 0); err != nil {
			return labproto.DiskHeader{}, fmt.Errorf("%s: flush: %w", f.Name(), err)
		}
		if _, err := f.ReadAt(block, 0); err != nil {
			return labproto.DiskHeader{}, err
		}
		if h, ok, err := labproto.DecodeDiskHeader(block); ok || err != nil {
			return h, err
		}
		time.Sleep(pollDisk)
	}
}

// addRandomness adds a seed to the kernel's random numbers, and makes the kernel use
// it at once (random(4)). Otherwise two machines that were resumed from one file
// would have the same random numbers.
func addRandomness(seed []byte) error {
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	pool := struct { // struct rand_pool_info
		entropyBits, size int32
		data              [256]byte
	}{size: int32(len(seed)), entropyBits: int32(8 * len(seed))}
	if copy(pool.data[:], seed) != len(seed) {
		return fmt.Errorf("a seed of %d bytes, the limit is %d", len(seed), len(pool.data))
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&pool))); errno != 0 {
		return fmt.Errorf("add to the kernel's random numbers: %w", errno)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.RNDRESEEDCRNG, 0); err != nil {
		return fmt.Errorf("reseed the kernel's random numbers: %w", err)
	}
	return nil
}

// unpack unpacks consecutive cpio archives below root. A file replaces one of its
// name; an existing folder stays.
func unpack(r *bufio.Reader, root string) error {
	for {
		// Archives are padded with zeros.
		b, err := r.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if b == 0 {
			continue
		}
		if err := r.UnreadByte(); err != nil {
			return err
		}
		archive := cpio.NewReader(r)
		for {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if err := unpackEntry(archive, h, filepath.Join(root, h.Name)); err != nil {
				return err
			}
		}
	}
}

func unpackEntry(archive *cpio.Reader, h *cpio.Header, name string) error {
	kind := h.Mode & cpio.ModeType
	if kind == cpio.TypeDir {
		return os.MkdirAll(name, fs.FileMode(h.Mode.Perm()))
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch kind {
	case cpio.TypeSymlink:
		return os.Symlink(h.Linkname, name)
	case cpio.TypeReg:
		return writeFile(name, archive, h)
	}
	return fmt.Errorf("entry %s has type %#o", h.Name, kind)
}

func writeFile(name string, r io.Reader, h *cpio.Header) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(h.Mode.Perm()))
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	_, err = io.CopyN(f, r, h.Size)
	return err
}
