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

func TestLockIsExclusive(t *testing.T) {
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
	if _, err := c.Current("trixie"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty cache: %v", err)
	}
}

// Each release has images of its own. Newer ones replace only those of their own
// release.
func TestCurrentIsOfOneRelease(t *testing.T) {
	c := &Cache{Dir: t.TempDir()}
	for _, step := range []struct{ release, name, bookworm, trixie string }{
		{"bookworm", "one", "one", ""}, {"trixie", "two", "one", "two"}, {"bookworm", "three", "three", "two"},
	} {
		write(t, filepath.Join(c.Dir, "base", step.name, manifest), `{"key":"`+step.name+`","xen":"4.17"}`, 0o644)
		if err := link(c.current(step.release), filepath.Join("base", step.name)); err != nil {
			t.Fatal(err)
		}
		for release, want := range map[string]string{"bookworm": step.bookworm, "trixie": step.trixie} {
			b, err := c.Current(release)
			if want == "" && errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil || b.Key != want || b.Hypervisor() != filepath.Join(c.Dir, "base", want, "xen") {
				t.Errorf("after %s: current of %s is %+v, %v", step.name, release, b, err)
			}
		}
	}
}
