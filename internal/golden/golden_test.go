// SPDX-License-Identifier: Apache-2.0

package golden

import (
	"slices"
	"testing"
)

func TestCompareFindsEveryDifference(t *testing.T) {
	want := map[string]uint64{"a": 1, "b": 2, "c": 3}
	got := map[string]uint64{"a": 1, "b": 5, "d": 4}
	diffs := compare(got, want)
	expected := []string{
		"b is 2 in C, 5 in Go",
		"c is 3 in C and not compared with Go",
		"d is 4 in Go and unknown in C",
	}
	if !slices.Equal(diffs, expected) {
		t.Errorf("differences %q, want %q", diffs, expected)
	}
}

func TestValuesAreParsedOrRefused(t *testing.T) {
	got, err := parse([]byte("sizeof(struct x) 24\noffsetof(struct x, y) 8\n"))
	if err != nil || got["sizeof(struct x)"] != 24 || got["offsetof(struct x, y)"] != 8 {
		t.Errorf("parse: %v, %v", got, err)
	}
	for _, bad := range []string{"alone\n", "x y\n", "\n"} {
		if _, err := parse([]byte(bad)); err == nil {
			t.Errorf("parse(%q) succeeded", bad)
		}
	}
}
