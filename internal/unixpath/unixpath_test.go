// SPDX-License-Identifier: Apache-2.0

package unixpath

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// The limit is the kernel's: a socket can listen on the longest path that
// passes.
func TestLimitIsTheKernels(t *testing.T) {
	dir := t.TempDir()
	longest := filepath.Join(dir, strings.Repeat("a", Most-len(dir)-1))
	if err := Check(longest); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("unix", longest)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := net.Listen("unix", longest+"b"); err == nil {
		t.Error("one byte more can be listened on")
	}
	if err := Check(longest + "b"); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "has 108 bytes, and 107 are allowed") {
		t.Error(err)
	}
}
