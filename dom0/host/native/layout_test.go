// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// The controllers are taken from the right hierarchies; no cgroup is touched.
func TestChoose(t *testing.T) {
	v2 := t.TempDir()
	have := func(controllers string) {
		if err := os.WriteFile(filepath.Join(v2, "cgroup.controllers"), []byte(controllers), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v1 := map[string]string{"cpu": "/1/cpu", "cpuacct": "/1/cpu", "freezer": "/1/freezer"}
	for _, tt := range []struct {
		controllers string
		m           cgroup.Mounts
		version     int
		want        [4]int // cpu, usage, freezer, cpuset
		places      int
	}{
		{"", cgroup.Mounts{V2: v2, V1: v1}, 0, [4]int{1, 1, 1, 0}, 2},
		{"", cgroup.Mounts{V2: v2, V1: v1}, 2, [4]int{1, 2, 2, 0}, 2},
		{"cpuset cpu io", cgroup.Mounts{V2: v2, V1: nil}, 0, [4]int{2, 2, 2, 2}, 1},
		{"cpu", cgroup.Mounts{V2: v2, V1: v1}, 0, [4]int{2, 2, 2, 0}, 1},
		{"cpu", cgroup.Mounts{V2: v2, V1: v1}, 1, [4]int{1, 1, 1, 0}, 2},
		{"", cgroup.Mounts{V2: v2, V1: map[string]string{"cpu": "/1/cpu"}}, 0, [4]int{1, 2, 2, 0}, 2},
	} {
		have(tt.controllers)
		l, err := choose(tt.m, "p", tt.version)
		got := [4]int{l.cpu.version, l.usage.version, l.freezer.version, l.cpuset.version}
		if err != nil || got != tt.want || len(l.places()) != tt.places {
			t.Errorf("%q, version %d: %v in %d places, %v", tt.controllers, tt.version, got, len(l.places()), err)
		}
	}
	have("memory")
	for _, m := range []cgroup.Mounts{{V2: v2, V1: nil}, {V2: "", V1: nil}, {V2: "", V1: map[string]string{"cpu": "/c", "cpuacct": "/c"}}} {
		if _, err := choose(m, "p", 0); !errors.Is(err, host.ErrNotHere) || !strings.Contains(err.Error(), "mount -t cgroup") {
			t.Error(err)
		}
	}
}
