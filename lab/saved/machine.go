// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// ErrDamaged says that a saved machine differs from what was written.
var ErrDamaged = errors.New("the saved machine is damaged")

// About describes a machine without resuming it.
type About struct {
	// What describes the machine to a person in a few words.
	What string `json:"what"`
	// Xen and Kernel are the versions that run in it.
	Xen    string `json:"xen"`
	Kernel string `json:"kernel"`
}

// Machine is a saved machine, ready to be resumed.
type Machine struct {
	About
	// File is open, at the offset of the state.
	File *os.File
}

// A file consists of a header of a fixed size and the state. The header is JSON,
// padded with zeros; its last four bytes are its checksum, little-endian. So each
// byte of the file is covered by a checksum or must be zero.
const headerBytes = 4096

type header struct {
	Key   string `json:"key"`
	About About  `json:"about"`
	// Bytes and Sum are the state's length and its CRC-32C, which detects
	// every burst of up to 32 bits.
	Bytes int64  `json:"bytes"`
	Sum   uint32 `json:"crc32c"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (h header) encode() ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) > headerBytes-4 {
		return nil, fmt.Errorf("the description has %d bytes, the limit is %d", len(text), headerBytes-4)
	}
	block := make([]byte, headerBytes)
	copy(block, text)
	sum := crc32.Checksum(block[:headerBytes-4], castagnoli)
	binary.LittleEndian.PutUint32(block[headerBytes-4:], sum)
	return block, nil
}

// readHeader reads the header at the beginning of a key's file.
func readHeader(f *os.File, key string) (h header, err error) {
	block := make([]byte, headerBytes)
	if _, err := io.ReadFull(f, block); err != nil {
		return h, fmt.Errorf("%w: %s: its header: %v", ErrDamaged, f.Name(), err)
	}
	text, sum := block[:headerBytes-4], binary.LittleEndian.Uint32(block[headerBytes-4:])
	if crc32.Checksum(text, castagnoli) != sum {
		return h, fmt.Errorf("%w: %s: wrong checksum of its header", ErrDamaged, f.Name())
	}
	if err := json.Unmarshal(bytes.TrimRight(text, "\x00"), &h); err != nil || h.Key != key {
		return h, fmt.Errorf("%w: %s: its header is for %q (%v)", ErrDamaged, f.Name(), h.Key, err)
	}
	return h, nil
}

func readAbout(name, key string) (About, error) {
	f, err := os.Open(name)
	if err != nil {
		return About{}, err
	}
	defer f.Close()
	h, err := readHeader(f, key)
	return h.About, err
}

// open opens a file and checks all of it.
func open(name, key string) (_ *Machine, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	h, err := readHeader(f, key)
	if err != nil {
		return nil, err
	}
	n, sum, err := Checksum(f)
	if err != nil {
		return nil, err
	}
	if n != h.Bytes || sum != h.Sum {
		return nil, fmt.Errorf("%w: %s: %d bytes with checksum %08x, want %d with %08x", ErrDamaged, name, n, sum, h.Bytes, h.Sum)
	}
	_, err = f.Seek(headerBytes, io.SeekStart)
	return &Machine{h.About, f}, err
}

// Checksum reads a file from its offset to its end. It returns the number of bytes
// and their CRC-32C.
func Checksum(f *os.File) (n int64, sum uint32, err error) {
	h := crc32.New(castagnoli)
	n, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return n, h.Sum32(), err
}

// fill writes a machine's file.
func fill(f *os.File, key string, about About, write func(*os.File) error) error {
	if _, err := f.Seek(headerBytes, io.SeekStart); err != nil {
		return err
	}
	if err := write(f); err != nil {
		return err
	}
	if _, err := f.Seek(headerBytes, io.SeekStart); err != nil {
		return err
	}
	h := header{Key: key, About: about}
	var err error
	if h.Bytes, h.Sum, err = Checksum(f); err != nil {
		return err
	}
	block, err := h.encode()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(block, 0); err != nil {
		return err
	}
	return f.Chmod(0o644)
}
