// SPDX-License-Identifier: Apache-2.0

package cachedir

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLockOfARemovedFile(t *testing.T) {
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
	first := lock()
	waiting := make(chan func())
	go func() { waiting <- lock() }()
	time.Sleep(300 * time.Millisecond) // the other has the file open
	if err := os.RemoveAll(filepath.Dir(name)); err != nil {
		t.Fatal(err)
	}
	second := lock()
	first()
	select {
	case unlock := <-waiting:
		unlock()
		t.Error("two have the lock")
	case <-time.After(time.Second):
		second()
		(<-waiting)()
	}
}
