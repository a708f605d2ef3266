// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Files returns a [Loader] that reads files of this machine, and stdin for
// "-", which it reads once at most. The loader blocks as reading them does
// and is not safe for concurrent use.
func Files(stdin io.Reader) Loader {
	read := false
	return func(name string, limit int) ([]byte, error) {
		if name == "-" {
			if read {
				return nil, errors.New("standard input can be given to one argument only")
			}
			read = true
			return readAll("standard input", stdin, limit)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(name, f, limit)
	}
}

func readAll(name string, r io.Reader, limit int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return b, nil
}
