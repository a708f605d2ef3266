// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall"
)

// allowTOML is a rule by which unprivileged tools may call.
type allowTOML struct {
	User     words    `toml:"user"`
	Group    words    `toml:"group"`
	Domain   ref      `toml:"domain"`
	Port     *uint32  `toml:"port"`
	Library  word     `toml:"library"`
	Function words    `toml:"function"`
	Timeout  duration `toml:"timeout"`
	reservationTOML
}

// Bounds and default of a rule's timeout.
const (
	defaultTimeout = 30 * time.Second
	mostTimeout    = time.Hour
)

// words are one string or number, or several.
type words []string

// UnmarshalTOML implements toml.Unmarshaler.
func (w *words) UnmarshalTOML(v any) error {
	all, several := v.([]any)
	if !several {
		all = []any{v}
	}
	for _, v := range all {
		switch v := v.(type) {
		case string:
			*w = append(*w, v)
		case int64:
			*w = append(*w, strconv.FormatInt(v, 10))
		default:
			return fmt.Errorf("%v is neither text nor a number", v)
		}
	}
	return nil
}

// command is a program and its arguments, without a shell.
type command []string

// UnmarshalTOML implements toml.Unmarshaler.
func (c *command) UnmarshalTOML(v any) error {
	if _, several := v.([]any); !several {
		return errors.New("a command is a list: its name and each argument in quotes of their own")
	}
	return (*words)(c).UnmarshalTOML(v)
}

func (a allowTOML) rule() (r policy.Rule, err error) {
	if r.Who, r.ID, err = a.subject(); err != nil {
		return r, at(err, "user", "group")
	}
	r.IsGroup = a.Group != nil
	r.Target = policy.Target{Domain: string(a.Domain), Port: uint32(vlibcall.DefaultPort)}
	if a.Port != nil {
		r.Port = *a.Port
	}
	r.Library, r.Functions = string(a.Library), a.Function
	if r.Timeout = time.Duration(a.Timeout); r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	if err := check(r); err != nil || a.Budget == nil && a.Period == nil && a.VCPUs == 0 {
		return r, err
	}
	t, err := a.task()
	r.Budget, r.Period, r.Servers = t.Budget, t.Period, int(a.VCPUs)
	if a.VCPUs == host.AllVCPUs { // no domain holds it
		err = cmp.Or(err, at(fmt.Errorf("vcpus = \"all\" is only possible in [[adopt]]: want a number, 1 to %d", rtsched.MaxServers), "vcpus"))
	}
	return r, err
}

// subject is the user or group that may call, with the kernel's number.
func (a allowTOML) subject() (string, uint32, error) {
	if (len(a.User) == 1) == (len(a.Group) == 1) || len(a.User)+len(a.Group) > 1 {
		return "", 0, errors.New("it needs one user or one group: a name or a number")
	}
	if len(a.User) == 1 {
		id, err := number("user", a.User[0], func(name string) (string, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		})
		return fmt.Sprintf("user %q", a.User[0]), id, err
	}
	id, err := number("group", a.Group[0], func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	return fmt.Sprintf("group %q", a.Group[0]), id, err
}

// number is the kernel's number of a user or group, which kind says.
func number(kind, text string, find func(string) (string, error)) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil {
		return uint32(n), nil
	}
	id, err := find(text)
	if err != nil {
		return 0, fmt.Errorf("%w: name a %s of this machine or a number", err, kind)
	}
	n, err = strconv.ParseUint(id, 10, 32)
	return uint32(n), err
}

func check(r policy.Rule) error {
	if err := socketName(r.Domain); err != nil {
		return at(err, "domain")
	}
	needed := fmt.Errorf("library and function are needed: names, or %q for all", policy.All)
	switch {
	case r.Library == "":
		return at(needed, "library")
	case len(r.Functions) == 0:
		return at(needed, "function")
	}
	for i, name := range append([]string{r.Library}, r.Functions...) {
		if name == "" || len(name) > vlibcall.MaxName || strings.ContainsRune(name, 0) {
			return at(fmt.Errorf("%.80q cannot be called: a name has 1 to %d bytes, and no NUL", name, vlibcall.MaxName), []string{"library", "function"}[min(i, 1)])
		}
	}
	if r.Timeout < 0 || r.Timeout > mostTimeout {
		return at(fmt.Errorf("timeout %v is out of range: up to %v", r.Timeout, mostTimeout), "timeout")
	}
	return nil
}

// socketName checks that a domain's name can be that of a directory of sockets.
func socketName(domain string) error {
	switch {
	case domain == "":
		return errors.New("domain is missing: a name or a UUID")
	case domain == ".", domain == "..", len(domain) > 64, strings.ContainsAny(domain, "/\x00"):
		return fmt.Errorf("domain %.80q: its sockets are in a directory of its name, and this name is not possible: write the UUID", domain)
	}
	return nil
}

// domainTOML says what to do when the vLib OS of a domain hangs.
type domainTOML struct {
	Name        ref      `toml:"name"`
	Listens     bool     `toml:"listens"`
	OnWedge     word     `toml:"on_wedge"`
	Restart     command  `toml:"restart"`
	WedgedAfter duration `toml:"wedged_after"`
}

// What on_wedge can be, and bounds of wedged_after.
const (
	report  = "report"
	restart = "restart"

	leastWedged = time.Second
	mostWedged  = time.Hour
)

func (d domainTOML) wedging(before []policy.Wedging) (policy.Wedging, error) {
	w := policy.Wedging{Domain: string(d.Name), After: time.Duration(d.WedgedAfter), Restart: d.Restart}
	if w.After == 0 {
		w.After = policy.WedgedAfter
	}
	switch {
	case d.Name == "":
		return w, at(errors.New("name is missing: a domain's name or UUID"), "name")
	case slices.ContainsFunc(before, func(b policy.Wedging) bool { return b.Domain == w.Domain }):
		return w, at(fmt.Errorf("duplicate [[domain]] %q", d.Name), "name")
	case w.After < leastWedged || w.After > mostWedged:
		return w, at(fmt.Errorf("domain %q: wedged_after %v is out of range: %v to %v", d.Name, w.After, leastWedged, mostWedged), "wedged_after")
	case d.OnWedge != "" && d.OnWedge != report && d.OnWedge != restart:
		return w, at(fmt.Errorf("domain %q: on_wedge %q: want one of %s, %s", d.Name, d.OnWedge, report, restart), "on_wedge")
	case d.OnWedge == restart && (len(d.Restart) == 0 || d.Restart[0] == ""):
		return w, at(fmt.Errorf("domain %q: restart is missing: the command and its arguments, as in [\"xl\", \"reboot\", \"-F\", %q]", d.Name, d.Name), "restart", "on_wedge")
	case d.OnWedge != restart && d.Restart != nil:
		return w, at(fmt.Errorf("domain %q: restart is only used with on_wedge = %q", d.Name, restart), "restart")
	}
	return w, nil
}
