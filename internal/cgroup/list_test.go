// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"slices"
	"testing"
)

func TestNumbersThatAreCutOffAreLeftOut(t *testing.T) {
	for text, want := range map[string][]int{
		"":             nil,
		"1\n22\n333\n": {1, 22, 333},
		"0\n5\n":       {5},
		"1\n22\n3":     {1, 22}, // 3 may have been 333
		"x\n\n7\n":     {7},
	} {
		if got := AppendNumbers(nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
