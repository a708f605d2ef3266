// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// compression is a format, by its magic bytes, and the program that decompresses
// it. Without a program the standard library does.
type compression struct {
	magic   string
	program string
}

var compressions = []compression{
	{"\x1f\x8b", ""},
	{"\xfd7zXZ\x00", "xz"},
	{"\x28\xb5\x2f\xfd", "zstd"},
}

// decompress decompresses data if it begins with a known format's magic bytes.
// Otherwise it returns data itself.
func decompress(data []byte) ([]byte, error) {
	for _, c := range compressions {
		if !bytes.HasPrefix(data, []byte(c.magic)) {
			continue
		}
		if c.program == "" {
			z, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(z)
		}
		cmd := exec.Command(c.program, "-dcq")
		cmd.Stdin = bytes.NewReader(data)
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("%s -d: %w: %s", c.program, err, bytes.TrimSpace(errOut.Bytes()))
		}
		return out.Bytes(), nil
	}
	return data, nil
}

func readCompressed(host string) ([]byte, error) {
	data, err := os.ReadFile(host)
	if err != nil {
		return nil, err
	}
	return decompress(data)
}

// vmlinux extracts the ELF kernel from a bzImage. Otherwise Xen or xl would have
// to decompress it in emulation, which takes seconds. Offsets are those of struct
// setup_header, protocol 2.08 (Linux, Documentation/arch/x86/boot.rst).
func vmlinux(bz []byte) ([]byte, error) {
	const setupSects, headerMagic, version, payloadOffset, payloadLength = 0x1f1, 0x202, 0x206, 0x248, 0x24c
	if len(bz) < payloadLength+4 || string(bz[headerMagic:headerMagic+4]) != "HdrS" {
		return nil, fmt.Errorf("not a bzImage: no setup header")
	}
	if v := binary.LittleEndian.Uint16(bz[version:]); v < 0x208 {
		return nil, fmt.Errorf("boot protocol %#x is older than 0x208 and has no payload field", v)
	}
	start := (uint64(bz[setupSects])+1)*512 + uint64(binary.LittleEndian.Uint32(bz[payloadOffset:]))
	end := start + uint64(binary.LittleEndian.Uint32(bz[payloadLength:]))
	if end > uint64(len(bz)) {
		return nil, fmt.Errorf("payload ends at %d, after the end of the file at %d", end, len(bz))
	}
	payload := bz[start:end]
	if !bytes.HasPrefix(payload, []byte(compressions[0].magic)) && len(payload) > 4 {
		// All formats but gzip have the uncompressed size appended (size_append
		// in scripts/Makefile.lib).
		payload = payload[:len(payload)-4]
	}
	kernel, err := decompress(payload)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(kernel, []byte("\x7fELF")) {
		return nil, fmt.Errorf("payload is compressed in an unknown way")
	}
	return kernel, nil
}
