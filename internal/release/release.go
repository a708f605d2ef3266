// SPDX-License-Identifier: Apache-2.0

// Package release says which version a program is of: what a package's build
// told the linker, else what Go recorded of the source. It is for the
// programs' version output, not for decisions.
package release

import "runtime/debug"

// The linker sets both in packages, or none: see packaging/build.
var version, commit string

// Release is the version of a program.
type Release struct {
	Version  string // "(devel)" if nothing is recorded
	Commit   string // at most 12 digits; empty if unknown
	Modified bool   // there were changes that were not committed
}

// Of this program.
func Of() Release {
	if version != "" {
		return Release{Version: version, Commit: short(commit)}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Release{Version: "(devel)"}
	}
	return recorded(info)
}

func recorded(info *debug.BuildInfo) Release {
	r := Release{Version: "(devel)"}
	if info.Main.Version != "" {
		r.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			r.Commit = short(s.Value)
		case "vcs.modified":
			r.Modified = s.Value == "true"
		}
	}
	return r
}

func short(commit string) string { return commit[:min(len(commit), 12)] }
