// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
)

// mounts returns the mounts of cgroups in the text of a mountinfo file.
func mounts(t *testing.T, text string) Mounts {
	t.Helper()
	all, err := mountinfo.GetMountsFromReader(strings.NewReader(text), mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		t.Fatal(err)
	}
	return mountsOf(all)
}

func TestTheFirstMountOfAControllerCounts(t *testing.T) {
	m := mounts(t, `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct
37 31 0:34 / /sys/fs/my\040freezer rw - cgroup cgroup rw,freezer
38 31 0:34 / /elsewhere rw - cgroup cgroup rw,freezer
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`)
	if m.V2 != "/sys/fs/cgroup/unified" || m.V1["cpuacct"] != "/sys/fs/cgroup/cpu,cpuacct" || m.V1["freezer"] != "/sys/fs/my freezer" {
		t.Errorf("%+v", m)
	}
}

func TestTreesAreTheHierarchiesThatCountCPUTime(t *testing.T) {
	const text = `25 1 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw
26 25 0:24 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
27 25 0:25 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
28 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
29 25 0:27 / /elsewhere rw - cgroup2 cgroup2 rw
`
	want := []Tree{{2, "/sys/fs/cgroup/unified"}, {1, "/sys/fs/cgroup/cpu,cpuacct"}}
	if got := mounts(t, text).trees(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestCgroupOfAProcessIsFound(t *testing.T) {
	const text = "3:cpuset:/a\n2:cpu,cpuacct:/vlibos/x\n0::/b:c/d\n"
	for version, want := range map[int]string{1: "/vlibos/x", 2: "/b:c/d"} {
		if got, ok := (Tree{Version: version}).parseOf(text); !ok || got != want {
			t.Errorf("version %d: %q, %v", version, got, ok)
		}
	}
	if got, ok := (Tree{Version: 1}).parseOf("0::/\nx\n1:cpuacct:relative\n"); ok {
		t.Errorf("none is %q", got)
	}
}

func TestUsageIsReadInEitherUnit(t *testing.T) {
	for _, c := range []struct {
		text    string
		version int
		want    time.Duration
		ok      bool
	}{
		{"123456789\n", 1, 123456789, true},
		{"usage_usec 12\nuser_usec 1\n", 2, 12 * time.Microsecond, true},
		{"user_usec 1\n", 2, 0, false},
		{"-1\n", 1, 0, false},
		{"usage_usec 9223372036854775807\n", 2, 0, false},
		{"", 1, 0, false},
	} {
		if got, ok := parseUsage([]byte(c.text), c.version); ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %v, %v", c.text, got, ok)
		}
	}
}
