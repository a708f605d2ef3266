// SPDX-License-Identifier: Apache-2.0

package golden

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	program = "testdata/layout.c"
	text    = "testdata/layout.txt"
	header  = "/usr/include/xen/xen.h" // of libxen-dev
)

// Check compares values, named as the C program prints them, with
// testdata/layout.txt of the package under test. Where possible it also
// compares them with the present output of testdata/layout.c.
func Check(t *testing.T, values map[string]uint64) {
	t.Helper()
	check(t, values, header)
}

// CheckOwn is Check for a C program that includes only headers of this
// repository: it needs a C compiler only.
func CheckOwn(t *testing.T, values map[string]uint64) {
	t.Helper()
	check(t, values, program)
}

func check(t *testing.T, values map[string]uint64, needs string) {
	t.Helper()
	committed, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := parse(committed)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, diff := range compare(values, want) {
		t.Errorf("%s: %s", text, diff)
	}
	t.Run("headers", func(t *testing.T) { checkHeaders(t, committed, needs) })
}

func checkHeaders(t *testing.T, committed []byte, needs string) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler: only the committed values were compared")
	}
	if _, err := os.Stat(needs); err != nil {
		t.Skip("no Xen headers (libxen-dev): only the committed values were compared")
	}
	bin := filepath.Join(t.TempDir(), "layout")
	if out, err := exec.Command(cc, "-Wall", "-Werror", "-o", bin, program).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	now, err := exec.Command(bin).Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	if !bytes.Equal(now, committed) {
		t.Errorf("%s differs from the installed headers; run go generate and look at the difference", text)
	}
}

func parse(b []byte) (map[string]uint64, error) {
	values := map[string]uint64{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 {
			return nil, fmt.Errorf("line %q has no value", line)
		}
		v, err := strconv.ParseUint(line[cut+1:], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		values[line[:cut]] = v
	}
	return values, nil
}

// compare returns one line for each difference, sorted by name.
func compare(got, want map[string]uint64) []string {
	var diffs []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		v, ok := got[name]
		switch {
		case !ok:
			diffs = append(diffs, fmt.Sprintf("%s is %d in C and not compared with Go", name, want[name]))
		case v != want[name]:
			diffs = append(diffs, fmt.Sprintf("%s is %d in C, %d in Go", name, want[name], v))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			diffs = append(diffs, fmt.Sprintf("%s is %d in Go and unknown in C", name, got[name]))
		}
	}
	return diffs
}
