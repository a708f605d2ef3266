// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// All stands for every library, or every function, but not for running commands
// (vlib run).
const All = "*"

// Rule lets the processes of a user, or of a group, call.
type Rule struct {
	Who     string // as it was written: `user "alice"`
	ID      uint32 // of the user or group
	IsGroup bool

	Target
	Library   string   // All, or one
	Functions []string // All, or some

	// Timeout is the longest that a call may take once it is its turn.
	Timeout time.Duration
	// Budget in every Period pays for the rule's calls, those of all its
	// users together; 0: nobody pays.
	Budget, Period time.Duration
}

// Target is a vLib OS, as the rules name it.
type Target struct {
	Domain string // its name or UUID
	Port   uint32
}

func (t Target) String() string { return fmt.Sprintf("domain %s, port %d", t.Domain, t.Port) }

// Key tells the rules of one configuration apart, and knows them again in the
// next.
func (r Rule) Key() string {
	return fmt.Sprintf("%s %s/%d %q %q", r.Who, r.Domain, r.Port, r.Library, r.Functions)
}

// Caller is a process as the kernel knows it.
type Caller struct {
	UID, GID uint32
	Groups   []uint32
}

func (r Rule) concerns(c Caller) bool {
	if r.IsGroup {
		return r.ID == c.GID || slices.Contains(c.Groups, r.ID)
	}
	return r.ID == c.UID
}

// The function that runs commands, as package builtin has it.
const runLibrary, runFunction = "vlib", "run"

// covers is what the rule names. [All] does not stand for running commands, which
// is every library's function and more: that is named by both words.
func (r Rule) covers(library, function string) bool {
	if library == runLibrary && function == runFunction {
		return r.Library == library && slices.Contains(r.Functions, function)
	}
	return (r.Library == All || r.Library == library) && (slices.Contains(r.Functions, All) || slices.Contains(r.Functions, function))
}

// Rules are a configuration's. Of several that let a call be made the first
// counts.
type Rules []Rule

// Decide returns the rule that lets a call be made; nil if there is none.
func (rs Rules) Decide(c Caller, t Target, library, function string) *Rule {
	for i := range rs {
		if r := &rs[i]; r.Target == t && r.concerns(c) && r.covers(library, function) {
			return r
		}
	}
	return nil
}

// Concern reports whether the caller may call anything of the target.
func (rs Rules) Concern(c Caller, t Target) bool {
	return slices.ContainsFunc(rs, func(r Rule) bool { return r.Target == t && r.concerns(c) })
}

// Targets are those that the rules name, each once.
func (rs Rules) Targets() []Target {
	var all []Target
	for _, r := range rs {
		if !slices.Contains(all, r.Target) {
			all = append(all, r.Target)
		}
	}
	return all
}

// Missing is the rule that would let a call be made, in the words of the
// configuration. It says nothing of the rules that there are: the caller may
// not know them.
func Missing(c Caller, t Target, library, function string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "no rule of vlibmaster's configuration lets user %d call it: [[allow]] user = %d, domain = %q, port = %d", c.UID, c.UID, t.Domain, t.Port)
	if library != "" {
		fmt.Fprintf(&b, ", library = %q, function = %q", library, function)
	}
	return b.String() + " is missing"
}
