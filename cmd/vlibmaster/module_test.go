// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
)

// Each state has words of its own, and its name in JSON.
func TestModuleReportSaysWhereTheModuleIs(t *testing.T) {
	for state, words := range map[moduleState]string{
		moduleAbsent: "not loaded, /x/ab.livepatch fits", moduleUploaded: "not in force", moduleLoaded: "loaded", moduleBooted: "was booted",
	} {
		r := moduleReport{BuildID: "ab", Module: state, Patch: "/x/ab.livepatch"}
		if text := r.String(); !strings.HasPrefix(text, "build-id  ab\nmodule    ") || !strings.Contains(text, words) {
			t.Errorf("%s: %q has no %q", state, text, words)
		}
		var b bytes.Buffer
		if err := joinObjects(&b, r); err != nil || b.String() != `{"build_id":"ab","module":"`+string(state)+`","patch":"/x/ab.livepatch"}`+"\n" {
			t.Errorf("%s: %s, %v", state, b.String(), err)
		}
	}
	if text := (moduleReport{BuildID: "ab", Module: moduleAbsent}).String(); !strings.HasSuffix(text, "not loaded") {
		t.Errorf("without a live patch: %q", text)
	}
}
