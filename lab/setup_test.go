// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"reflect"
	"testing"
)

func TestMissingToolsAreInstalledByPackage(t *testing.T) {
	got := missing([]tool{{"sh", "dash"}, {"no-such-program-1", "one"}, {"no-such-program-2", "two"}})
	if want := []string{"one", "two"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Setenv("PATH", t.TempDir())
	if got := missing(append(runTools, buildTools...)); !reflect.DeepEqual(got, []string{"qemu-system-x86", "xz-utils", "zstd"}) {
		t.Errorf("without any tool: %q", got)
	}
	if got := missing(compileTools); len(got) != len(compileTools) {
		t.Errorf("without a compiler: %q", got)
	}
}
