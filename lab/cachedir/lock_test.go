// SPDX-License-Identifier: Apache-2.0

package cachedir

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
)

func TestLockOfARemovedFileIsNotTheLockOfItsName(t *testing.T) {
	name := filepath.Join(t.TempDir(), "folder", "lock")
	lock := func() func() {
		t.Helper()
		unlock, err := Lock(t.Context(), name)
		if err != nil {
			t.Error(err)
			return func() {}
		}
		return unlock
	}
	open := func(path string) (n int) {
		for _, target := range testkit.Descriptors() {
			if target == path {
				n++
			}
		}
		return n
	}
	first := lock()
	waiting := make(chan func(), 1)
	go func() { waiting <- lock() }()
	testkit.Eventually(t, "the second waits for the first's file", func() bool { return open(name) == 2 })
	if err := os.RemoveAll(filepath.Dir(name)); err != nil {
		t.Fatal(err)
	}
	third := lock()
	first()
	testkit.Eventually(t, "the second has given the removed file up", func() bool { return open(name+" (deleted)") == 0 })
	testkit.Eventually(t, "the second waits for the third's file", func() bool { return open(name) == 2 || len(waiting) > 0 })
	if len(waiting) > 0 {
		t.Error("two have the lock")
	}
	third()
	(<-waiting)()
}
