// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

const (
	prefix    = 4
	maxHeader = 1 << 20
)

// appendFrame appends the length of header's JSON, the JSON, and the parts.
func appendFrame(dst []byte, header any, parts ...[]byte) ([]byte, error) {
	b, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	if len(b) > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, more than %d", len(b), maxHeader)
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
	dst = append(dst, b...)
	for _, part := range parts {
		dst = append(dst, part...)
	}
	return dst, nil
}

// splitFrame returns a copy of the JSON, which a peer that shares the memory
// cannot change, and the bytes after it in place.
func splitFrame(b []byte) (header, rest []byte, err error) {
	if len(b) < prefix {
		return nil, nil, fmt.Errorf("%d bytes where %d are the length of the header", len(b), prefix)
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxHeader || int(n) > len(b)-prefix {
		return nil, nil, fmt.Errorf("header of %d bytes in a message of %d", n, len(b))
	}
	header = append(header, b[prefix:prefix+int(n)]...)
	if !utf8.Valid(header) {
		return nil, nil, fmt.Errorf("header is not UTF-8")
	}
	return header, b[prefix+int(n):], nil
}
