// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"fmt"
)

// Text takes the single string of a payload, with or without the NUL that ends
// it. A NUL elsewhere is ErrFormat.
func Text(payload []byte) (string, error) {
	b := bytes.TrimSuffix(payload, []byte{0})
	if bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("%w: %q is not one string", ErrFormat, clip(payload))
	}
	return string(b), nil
}

// List takes a payload apart that is a sequence of strings, each ended by NUL.
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

// Join makes such a payload.
func Join(list ...string) []byte {
	var b []byte
	for _, s := range list {
		b = append(append(b, s...), 0)
	}
	return b
}

// clip keeps errors short whatever the peer sends.
func clip(b []byte) []byte {
	const most = 64
	if len(b) > most {
		return b[:most]
	}
	return b
}
