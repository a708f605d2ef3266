// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vlibos/vlibos/lab"
)

// savedConfig is a machine that no other test uses.
func savedConfig(log *bytes.Buffer) lab.Config {
	return lab.Config{MemoryMiB: 1201, SetupLog: log, Args: []string{"sh", "-c", "echo right; exit 3"}}
}

// A damaged machine is noticed before it is resumed.
func TestDamagedMachineIsBootedAgain(t *testing.T) {
	t.Parallel()
	store, err := lab.Saved()
	if err != nil {
		t.Fatal(err)
	}
	run := func(what string, resumed bool) (said string) {
		t.Helper()
		var log bytes.Buffer
		result, stdout, _ := boot(t, savedConfig(&log), false)
		if result.Status != 3 || stdout != "right\n" || result.Resumed != resumed {
			t.Errorf("%s: status %d, printed %q, resumed: %v, want 3, right, %v", what, result.Status, stdout, result.Resumed, resumed)
		}
		return log.String()
	}
	path := func() string {
		t.Helper()
		entries, err := store.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.Contains(e.About.What, "1201 MiB") {
				return filepath.Join(store.Dir, e.Key+".machine")
			}
		}
		t.Fatal("the machine has not been saved")
		return ""
	}
	if first, _, _ := boot(t, savedConfig(new(bytes.Buffer)), false); first.Resumed {
		t.Log("saved by an earlier run")
	}
	if said := run("undamaged", true); said != "" {
		t.Errorf("not damaged: %q", said)
	}
	info, err := os.Stat(path())
	if err != nil {
		t.Fatal(err)
	}
	for what, damage := range map[string]func(*os.File) error{
		"cut in half": func(f *os.File) error { return f.Truncate(info.Size() / 2) },
		"a byte flipped in its middle": func(f *os.File) error {
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, info.Size()/2); err != nil {
				return err
			}
			b[0] ^= 0x10
			_, err := f.WriteAt(b, info.Size()/2)
			return err
		},
	} {
		f, err := os.OpenFile(path(), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := damage(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		said := run(what, false)
		if strings.Count(said, "\n") != 1 || !strings.Contains(said, "damaged") || !strings.Contains(said, "booted again") {
			t.Errorf("%s: said %q, want one line", what, said)
		}
		run("after "+what, true)
	}
}

// Two runs resume one saved machine at the same time.
func TestTwoRunsOfOneMachineSeeTheirOwnFiles(t *testing.T) {
	t.Parallel()
	built(t)
	boot(t, lab.Config{DomUs: 1, Args: []string{"true"}}, false)
	var wg sync.WaitGroup
	var out [2]string
	for i := range out {
		file := script(t, fmt.Sprintf("run %d\n", i))
		wg.Go(func() {
			_, out[i], _ = boot(t, lab.Config{
				DomUs: 1, Add: []lab.File{{Host: file, Guest: "/mine"}}, DomUAdd: []lab.File{{Host: file, Guest: "/mine"}},
				Args: []string{"sh", "-c", "cat /mine; vlibmaster call 1 vlib run -- cat /mine; cat /proc/sys/kernel/random/uuid; vlibmaster call 1 vlib run -- cat /proc/sys/kernel/random/uuid; date +%s"},
			}, false)
		})
	}
	wg.Wait()
	a, b := strings.Fields(out[0]), strings.Fields(out[1])
	if len(a) != 7 || len(b) != 7 {
		t.Fatalf("%q and %q", out[0], out[1])
	}
	for i, words := range [][]string{a, b} {
		if want := fmt.Sprintf("run %d run %d", i, i); strings.Join(words[:4], " ") != want {
			t.Errorf("run %d: %q, want %q", i, words[:4], want)
		}
	}
	// The two machines have the same saved state, and must differ in this.
	for i := 4; i < 6; i++ {
		if a[i] == b[i] {
			t.Errorf("both runs have the random number %s", a[i])
		}
	}
}
