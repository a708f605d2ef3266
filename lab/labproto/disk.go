// SPDX-License-Identifier: Apache-2.0

package labproto

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// The run's files come to a prepared machine on two disks: the first is Dom0's,
// the second that of all DomUs. A disk is all zeros while the machine is
// prepared; then it holds a block with a [DiskHeader], and behind it a cpio
// archive as an initramfs is one. It never changes after that.
const (
	// DiskBytes is the size of each disk: what a run can bring along.
	DiskBytes = 4 << 30
	// DiskBlock is the size of the header's block.
	DiskBlock = 4096
)

// DiskHeader describes what a disk holds.
type DiskHeader struct {
	// Bytes is the length of the archive.
	Bytes int64 `json:"bytes"`
	// UnixNano is what the clock is set to, in nanoseconds; 0 leaves it, for
	// machines in which two runs are to be alike.
	UnixNano int64 `json:"unix_nano,omitempty"`
	// Seed is added to the kernel's random numbers.
	Seed []byte `json:"seed,omitempty"`
}

// Encode returns the block that begins a disk.
func (h DiskHeader) Encode() ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) > DiskBlock {
		return nil, fmt.Errorf("disk header has %d bytes, the limit is %d", len(text), DiskBlock)
	}
	return append(text, make([]byte, DiskBlock-len(text))...), nil
}

// DecodeDiskHeader reads the block that begins a disk; ok is false for a disk
// on which nothing is yet.
func DecodeDiskHeader(block []byte) (h DiskHeader, ok bool, err error) {
	text := bytes.TrimRight(block, "\x00")
	if len(text) == 0 {
		return h, false, nil
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, false, fmt.Errorf("disk header: %w", err)
	}
	if h.Bytes < 0 || h.Bytes > DiskBytes-DiskBlock {
		return h, false, fmt.Errorf("disk header: an archive of %d bytes", h.Bytes)
	}
	return h, true, nil
}
