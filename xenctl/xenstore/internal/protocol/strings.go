// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"fmt"
)

// Text decodes a payload of a single string, with or without a terminating NUL.
// A NUL elsewhere is ErrFormat.
func Text(payload []byte) (string, error) {
	b := bytes.TrimSuffix(payload, []byte{0})
	if bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("%w: %q is not one string", ErrFormat, clip(payload))
	}
	return string(b), nil
}

// List decodes a payload of strings, each terminated by a NUL.
func List(payload []byte) ([]string, error) {
	var list []string
	for len(payload) > 0 {
		s, rest, ok := bytes.Cut(payload, []byte{0})
		if !ok {
			return nil, fmt.Errorf("%w: %q does not end", ErrFormat, clip(s))
		}
		list = append(list, string(s))
		payload = rest
	}
	return list, nil
}

// Join encodes such a payload.
func Join(list ...string) []byte {
	var b []byte
	for _, s := range list {
		b = append(append(b, s...), 0)
	}
	return b
}

// clip shortens bytes from the peer for errors.
func clip(b []byte) []byte {
	const most = 64
	if len(b) > most {
		return b[:most]
	}
	return b
}
