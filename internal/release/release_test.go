// SPDX-License-Identifier: Apache-2.0

package release

import (
	"runtime/debug"
	"testing"
)

func TestVersionIsTheRecordedOne(t *testing.T) {
	info := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}}
	if got, want := recorded(info), (Release{"(devel)", "0123456789ab", true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	info = &debug.BuildInfo{Main: debug.Module{Version: "v1.2.0"}}
	if got, want := recorded(info), (Release{Version: "v1.2.0"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The version that a package's build gave has precedence.
func TestLinkedVersionHasPrecedence(t *testing.T) {
	version, commit = "1.2.0", "0123456789abcdef"
	defer func() { version, commit = "", "" }()
	if got, want := Of(), (Release{"1.2.0", "0123456789ab", false}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
