// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Mounts are the mount points of cgroup file systems.
type Mounts struct {
	V2 string            // "" if it is not mounted
	V1 map[string]string // by controller
}

// FindMounts finds the mount points of this process.
func FindMounts() (Mounts, error) {
	all, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	return mountsOf(all), err
}

// mountsOf takes the first mount of each file system. The options of a version 1 file
// system name its controllers.
func mountsOf(all []*mountinfo.Info) Mounts {
	m := Mounts{V1: map[string]string{}}
	for _, info := range all {
		if info.FSType == "cgroup2" {
			if m.V2 == "" {
				m.V2 = info.Mountpoint
			}
			continue
		}
		for o := range strings.SplitSeq(info.VFSOptions, ",") {
			if m.V1[o] == "" {
				m.V1[o] = info.Mountpoint
			}
		}
	}
	return m
}
