// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Segment is a part of one granted page and the memory it is copied to.
type Segment struct {
	Ref    uint32
	Offset int // first byte within the page
	// Local receives len(Local) bytes, at most to the end of the page. It must
	// be ordinary memory of this process: pages that this package has mapped or
	// allocated fail with EFAULT.
	Local []byte
}

// Copy copies from pages that domain domid has granted, without mapping them.
// The granter cannot change the contents of Local afterwards. Xen copies page
// by page.
//
// When Xen refuses a segment the error wraps a [RefError] for the first one
// refused. Segments after it may have been copied, and the contents of a
// refused segment's Local are undefined.
func (m *Mapper) Copy(domid uint16, segments []Segment) error {
	if err := m.copyAll(domid, segments); err != nil {
		return opError(fmt.Sprintf("copy %d segments of domain %d", len(segments), domid), err)
	}
	return nil
}

// copyBatch bounds one request, and with it the time the kernel spends in it.
const copyBatch = 256

func (m *Mapper) copyAll(domid uint16, segments []Segment) error {
	for i, s := range segments {
		if s.Offset < 0 || len(s.Local) == 0 || s.Offset+len(s.Local) > pageSize {
			return fmt.Errorf("segment %d (offset %d, %d bytes) is not within a page: %w",
				i, s.Offset, len(s.Local), unix.EINVAL)
		}
	}
	batch := make([]copySegment, min(len(segments), copyBatch))
	for len(segments) > 0 {
		n := min(len(segments), copyBatch)
		if err := m.copyOnce(domid, segments[:n], batch[:n]); err != nil {
			return err
		}
		segments = segments[n:]
	}
	return nil
}

func (m *Mapper) copyOnce(domid uint16, segments []Segment, batch []copySegment) error {
	for i, s := range segments {
		batch[i] = copySegment{
			source: foreign{ref: s.Ref, offset: uint16(s.Offset), domid: domid},
			dest:   unsafe.Pointer(&s.Local[0]),
			len:    uint16(len(s.Local)),
			flags:  copySourceGref,
			status: int16(StatusGeneralError),
		}
	}
	arg := grantCopy{count: uint32(len(batch)), segments: &batch[0]}
	_, err := m.dev.Ioctl(ioctlGrantCopy, unsafe.Pointer(&arg))
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("the kernel cannot copy grants (needs Linux 4.9): %w", err)
	}
	if err != nil {
		return err
	}
	for i := range batch {
		if s := Status(batch[i].status); s != StatusOkay {
			return &RefError{Domain: domid, Ref: segments[i].Ref, Status: s}
		}
	}
	return nil
}
