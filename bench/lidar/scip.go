// SPDX-License-Identifier: Apache-2.0

package lidar

import (
	"errors"
	"fmt"
)

// The URG-04LX divides a circle into 1,024 steps. It sees steps 44 to 725,
// counter-clockwise, with the front at 384. Two of them are sent as one, which
// makes the paper's 700 bytes a scan.
const (
	circle     = 1024
	firstStep  = 44
	lastStep   = 725
	frontStep  = 384
	clustered  = 2
	Points     = (lastStep - firstStep + 1) / clustered
	MaxRange   = 4095 // mm; the largest distance of the encoding
	leastValid = 20   // the device reports errors as smaller values
)

// The parts of the answer to MS (continuous scans, two characters a distance):
// the request, the status, the device's time, and the distances in blocks. Each
// ends in a sum and a line feed, the request in a line feed alone.
const (
	request   = "MS0044072502000" // first step, last step, cluster, every scan, without end
	status    = "99"
	timeSize  = 4
	dataSize  = 2 * Points
	blockSize = 64
	blocks    = (dataSize + blockSize - 1) / blockSize
	// ScanSize is the length of a scan as sent, in bytes.
	ScanSize = len(request) + 1 + len(status) + 2 + timeSize + 2 + dataSize + 2*blocks + 1
)

// Scan is one turn of the device.
type Scan struct {
	// Time is the device's, in ms; the device sends 24 bits of it.
	Time uint32
	// Distances are in mm, by cluster; values below 20 were not measured.
	Distances [Points]uint16
}

// sum returns the checksum of a line.
func sum(line []byte) byte {
	var s byte
	for _, c := range line {
		s += c
	}
	return s&0x3f + 0x30
}

// Append encodes the scan as the device does.
func (s *Scan) Append(to []byte) []byte {
	line := func(begin int) { to = append(to, sum(to[begin:]), '\n') }
	to = append(to, request+"\n"...)
	begin := len(to)
	to = append(to, status...)
	line(begin)
	begin = len(to)
	for shift := 18; shift >= 0; shift -= 6 {
		to = append(to, byte(s.Time>>shift&0x3f)+0x30)
	}
	line(begin)
	begin = len(to)
	for _, d := range s.Distances {
		to = append(to, byte(d>>6&0x3f)+0x30, byte(d&0x3f)+0x30)
		if len(to)-begin == blockSize {
			line(begin)
			begin = len(to)
		}
	}
	if len(to) > begin {
		line(begin)
	}
	return append(to, '\n')
}

// Errors of scans that a device sent.
var (
	errLength = errors.New("a scan has another length")
	errFormat = errors.New("not the answer to " + request)
	errSum    = errors.New("a sum does not match its line")
)

// Decode reads a scan, as the device sends it, into s. It allocates nothing.
func (s *Scan) Decode(text []byte) error {
	if len(text) != ScanSize {
		return fmt.Errorf("%w: %d bytes", errLength, len(text))
	}
	if string(text[:len(request)]) != request || text[len(request)] != '\n' {
		return errFormat
	}
	rest := text[len(request)+1:]
	next := func(n int) ([]byte, error) {
		line := rest[:n]
		if rest[n+1] != '\n' {
			return nil, errFormat
		}
		if rest[n] != sum(line) {
			return nil, errSum
		}
		rest = rest[n+2:]
		return line, nil
	}
	line, err := next(len(status))
	if err != nil {
		return err
	}
	if string(line) != status {
		return fmt.Errorf("the device reports status %q", line)
	}
	if line, err = next(timeSize); err != nil {
		return err
	}
	s.Time = 0
	for _, c := range line {
		s.Time = s.Time<<6 | uint32(c-0x30)&0x3f
	}
	// A block's size is even, so that no distance is in two blocks.
	for i := 0; i < Points; {
		n := min(blockSize, 2*(Points-i))
		if line, err = next(n); err != nil {
			return err
		}
		for ; n > 0; n -= 2 {
			s.Distances[i] = uint16(line[0]-0x30)&0x3f<<6 | uint16(line[1]-0x30)&0x3f
			line = line[2:]
			i++
		}
	}
	return nil
}
