// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"time"
)

// stride is the distance of two writes. It puts the second one into another row
// of a memory chip.
const stride = 8 << 10

// Stream is the paper's m_jump: it writes the first bytes of each line of a
// buffer, in steps of 8 KiB.
type Stream struct {
	buffer
	column int
}

// NewStream makes a stream over that many bytes, a multiple of 8 KiB.
func NewStream(size int) (*Stream, error) {
	if size < stride || size%stride != 0 {
		return nil, fmt.Errorf("a stream over %d bytes: expected a multiple of %d", size, stride)
	}
	b, err := newBuffer(size)
	if err != nil {
		return nil, err
	}
	return &Stream{buffer: b}, nil
}

// Column writes one line in each 8 KiB of the buffer, and returns their number.
func (s *Stream) Column() int {
	b := s.bytes
	for i := s.column; i < len(b); i += stride {
		b[i]++
	}
	s.column = (s.column + Line) % stride
	return len(b) / stride
}

// slice is the time of a run and a sleep of a stream with a duty.
const slice = 2 * time.Millisecond

// Run writes for a share of the time until stop returns true. It calls each
// with the number of lines written since the last call.
func (s *Stream) Run(duty func() float64, stop func() bool, each func(lines int)) {
	for !stop() {
		begin := time.Now()
		share := duty()
		if share > 0 {
			for lines := 0; ; {
				lines += s.Column()
				if busy := time.Since(begin); busy >= time.Duration(share*float64(slice)) || busy >= slice {
					each(lines)
					break
				}
			}
		}
		if share < 1 {
			time.Sleep(slice - time.Since(begin))
		}
	}
}

// Free frees the memory.
func (s *Stream) Free() error { return s.free() }
