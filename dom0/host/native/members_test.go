// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// process starts a shell, by any name, until the end of the test.
func process(t *testing.T, name, words string) int {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(shell, link); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(link, "-c", words)
	c.Args[0] = "sh"         // by which a shell that is many programs knows what to be
	in, err := c.StdinPipe() // what it sleeps on
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.Process.Kill()
		c.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return c.Process.Pid
}

// A domain wants to run while one of its threads does, whatever they are called.
func TestRunnable(t *testing.T) {
	asleep := process(t, "a) R (b", "echo; read line")
	busy := process(t, "c) S (d", "echo; while :; do :; done")
	dir := t.TempDir()
	for _, tt := range []struct {
		list string
		want bool
	}{
		{"", false},
		{"x\n-\n", false},
		{fmt.Sprintf("%d\n", 1<<22+1), false}, // no thread has that number
		{fmt.Sprintf("%d\n", asleep), false},
		{fmt.Sprintf("%d\n%d\n", asleep, busy), true},
		{fmt.Sprintf("%d\n", busy), true},
	} {
		if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(tt.list), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := openMembers(hierarchy{version: 1}, dir)
		if err != nil {
			t.Fatal(err)
		}
		got := m.runnable()
		// A process that has just written, and is about to sleep, still runs.
		for i := 0; got != tt.want && i < 1000; i++ {
			got = m.runnable()
		}
		if got != tt.want {
			t.Errorf("%q: %v", tt.list, got)
		}
		if err := m.close(); err != nil {
			t.Error(err)
		}
	}
}

// A crowd is asked seldom.
func TestRunnableCrowd(t *testing.T) {
	busy := process(t, "busy", "echo; while :; do :; done")
	dir := t.TempDir()
	var list []byte
	for range 10 * crowd {
		list = fmt.Appendf(list, "%d\n", busy)
	}
	if err := os.WriteFile(filepath.Join(dir, "tasks"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := openMembers(hierarchy{version: 1}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	yes := 0
	for range 10 * (seldom + 1) {
		if m.runnable() {
			yes++
		}
	}
	if yes != 10 {
		t.Errorf("%d of %d times", yes, 10*(seldom+1))
	}
}
