// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// All means every library, or every function, but not the function that runs commands
// (vlib run).
const All = "*"

// Rule allows calls to the processes of a user or a group.
type Rule struct {
	Who     string // as in the configuration: `user "alice"`
	ID      uint32 // of the user or group
	IsGroup bool

	Target
	Library   string   // All, or one
	Functions []string // All, or some

	// Timeout is the longest time of a call from its turn.
	Timeout time.Duration
	// Budget in every Period is charged for the rule's calls, of all its users
	// together. 0: they are charged to no reservation.
	Budget, Period time.Duration
	Servers        int // that many times; see host.Reservation. 0: once
}

// Target is a vLib OS, as the rules name it.
type Target struct {
	Domain string // its name or UUID
	Port   uint32
}

func (t Target) String() string { return fmt.Sprintf("domain %s, port %d", t.Domain, t.Port) }

// Key identifies the rule in its configuration and in the next one.
func (r Rule) Key() string {
	return fmt.Sprintf("%s %s/%d %q %q", r.Who, r.Domain, r.Port, r.Library, r.Functions)
}

// Caller has the credentials of a process, from the kernel.
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

// The function that runs commands; see package builtin.
const runLibrary, runFunction = "vlib", "run"

// covers reports whether the rule names a function. [All] does not cover
// running commands, which can do more than any library: both words must be
// named.
func (r Rule) covers(library, function string) bool {
	if library == runLibrary && function == runFunction {
		return r.Library == library && slices.Contains(r.Functions, function)
	}
	return (r.Library == All || r.Library == library) && (slices.Contains(r.Functions, All) || slices.Contains(r.Functions, function))
}

// Rules are those of a configuration. The first that allows a call decides.
type Rules []Rule

// Decide returns the rule that allows a call; nil if there is none.
func (rs Rules) Decide(c Caller, t Target, library, function string) *Rule {
	for i := range rs {
		if r := &rs[i]; r.Target == t && r.concerns(c) && r.covers(library, function) {
			return r
		}
	}
	return nil
}

// Concern reports whether the caller may call any function of the target.
func (rs Rules) Concern(c Caller, t Target) bool {
	return slices.ContainsFunc(rs, func(r Rule) bool { return r.Target == t && r.concerns(c) })
}

// Targets are all targets that the rules name.
func (rs Rules) Targets() []Target {
	var all []Target
	for _, r := range rs {
		if !slices.Contains(all, r.Target) {
			all = append(all, r.Target)
		}
	}
	return all
}

// Missing is the rule that would allow a call, as written in the configuration.
// It tells the caller nothing about existing rules.
func Missing(c Caller, t Target, library, function string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "no rule of vlibmaster's configuration lets user %d call it: [[allow]] user = %d, domain = %q, port = %d", c.UID, c.UID, t.Domain, t.Port)
	if library != "" {
		fmt.Fprintf(&b, ", library = %q, function = %q", library, function)
	}
	return b.String() + " is missing"
}
