// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// failing is a test that says why it failed, and ends.
type failing struct {
	testing.TB
	why chan string
}

func (f failing) Helper()      {}
func (f failing) Failed() bool { return false }
func (f failing) Fatalf(format string, args ...any) {
	f.why <- fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// master has the program vlibmaster be a script.
func master(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	Must(t, os.WriteFile(filepath.Join(dir, "vlibmaster"), []byte("#!/bin/sh\n"+text), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// A master that ends before it serves ends the test with what it wrote.
func TestMasterThatEndsAtOnceEndsTheTestWithItsLog(t *testing.T) {
	master(t, "echo \"vlibmaster: $2 is wrong\" >&2; exit 18")
	f := failing{t, make(chan string, 1)}
	go Serve(f, "--config=x")
	why := <-f.why
	if !strings.Contains(why, "--config=x is wrong") || !strings.Contains(why, "exit status 18") || strings.Contains(why, "not within") {
		t.Errorf("%q lacks its log or its status", why)
	}
}

func TestMasterServesUntilTheTestEnds(t *testing.T) {
	master(t, "trap 'exit 3' TERM\necho msg=serving >&2\nwhile :; do sleep 0.01; done")
	var m *Master
	t.Run("serves", func(t *testing.T) { m = Serve(t) })
	if err := m.Wait(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("it ended with %v", err)
	}
}
