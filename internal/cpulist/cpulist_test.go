// SPDX-License-Identifier: Apache-2.0

package cpulist

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestListIsReadAsTheKernelWritesIt(t *testing.T) {
	for text, want := range map[string][]int{
		"": nil, "\n": nil, "0\n": {0}, "0-1": {0, 1}, "0-2,5\n": {0, 1, 2, 5}, "3,1": {1, 3}, "0,32": {0, 32}, "1023": {Max},
	} {
		got, err := Parse(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if again, err := Parse(Format(got)); err != nil || !slices.Equal(again, got) {
			t.Errorf("%q was written as %q", text, Format(got))
		}
	}
}

func TestInvalidListIsRefused(t *testing.T) {
	for _, text := range []string{"x", "1-", "-1", "3-1", "0-99999999999", "1024", "1,,2", "+1", "0-1-2", "0 1", ",", "0,0", "1,0-2"} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), "not a list of CPUs") && !strings.Contains(err.Error(), "twice") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestFileWithoutAListIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "online")
	if _, err := Read(file); err == nil {
		t.Error("a missing file is read")
	}
	if err := os.WriteFile(file, []byte("many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}
