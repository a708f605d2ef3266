// SPDX-License-Identifier: Apache-2.0

// Package release returns the version of a program: the one that a package's
// build gave the linker, or else the one that Go recorded of the source. It is
// for the programs' version output, not for decisions.
package release

import "runtime/debug"

// The linker sets both in packages, or neither: see packaging/build.
var version, commit string

// Release is the version of a program.
type Release struct {
	Version  string // "(devel)" if nothing is recorded
	Commit   string // at most 12 digits; empty if unknown
	Modified bool   // the source had uncommitted changes
}

// Of returns the version of this program.
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
