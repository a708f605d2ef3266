// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCacheLock(t *testing.T) {
	c := &Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	unlock, err := c.Lock(t.Context(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Lock(short, "lock"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second lock: %v", err)
	}
	unlock()
	unlock, err = c.Lock(t.Context(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if _, err := c.Current(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty cache: %v", err)
	}
}

func TestCurrentIsReplaced(t *testing.T) {
	c := &Cache{Dir: t.TempDir()}
	for _, name := range []string{"one", "two"} {
		write(t, filepath.Join(c.Dir, "base", name, manifest), `{"key":"`+name+`","xen":"4.17"}`, 0o644)
		if err := c.setCurrent(filepath.Join("base", name)); err != nil {
			t.Fatal(err)
		}
		b, err := c.Current()
		if err != nil || b.Key != name || b.Hypervisor() != filepath.Join(c.Dir, "base", name, "xen") {
			t.Errorf("current is %+v, %v", b, err)
		}
	}
}
