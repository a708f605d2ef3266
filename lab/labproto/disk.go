// SPDX-License-Identifier: Apache-2.0

package labproto

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// The run's files come to a prepared machine on two disks: Dom0's, and one that
// all DomUs share. A disk is all zeros while the machine is prepared. Then it has
// a block with a [DiskHeader], followed by a cpio archive in an initramfs's
// format, and does not change any more.
const (
	// DiskBytes is the size of each disk, which limits the files of a run.
	DiskBytes = 4 << 30
	// DiskBlock is the size of the header's block in bytes.
	DiskBlock = 4096
)

// DiskHeader describes a disk's contents.
type DiskHeader struct {
	// Bytes is the length of the archive.
	Bytes int64 `json:"bytes"`
	// UnixNano is the time to set the clock to, in nanoseconds. 0 leaves the
	// clock, for machines in which two runs are to be equal.
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

// DecodeDiskHeader reads the block that begins a disk. ok is false if the disk is
// still empty.
func DecodeDiskHeader(block []byte) (h DiskHeader, ok bool, err error) {
	text := bytes.TrimRight(block, "\x00")
	if len(text) == 0 {
		return h, false, nil
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, false, fmt.Errorf("disk header: %w", err)
	}
	if h.Bytes < 0 || h.Bytes > DiskBytes-DiskBlock {
		return h, false, fmt.Errorf("disk header: wrong archive length of %d bytes", h.Bytes)
	}
	return h, true, nil
}
