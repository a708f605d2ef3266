// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/config"
)

// read is a page as a person reads it, roughly: without troff's escapes.
func read(t *testing.T, file string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"vlibmaster", "print", file}, strings.NewReader(""), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`\-`, "-", `\e`, `\`, `\fB`, "", `\fR`, "", `\(aq`, "'", `\(ti`, "~", `\&`, "").Replace(out.String())
}

// Every command has a section in the page, with all its flags, and every exit
// code is explained.
func TestPageHasAll(t *testing.T) {
	page := read(t, "vlibmaster.8")
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	commands := 0
	var check func(name, text string, flags []cli.Flag, below []*cli.Command)
	check = func(name, text string, flags []cli.Flag, below []*cli.Command) {
		for _, f := range flags {
			if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
				continue
			}
			for _, n := range f.Names() {
				if !regexp.MustCompile(`(?m)^(.*, )?--?` + n + `( |,|$)`).MatchString(text) {
					t.Errorf("%s: the page does not have the flag %s", name, n)
				}
			}
		}
		for _, c := range below {
			if c.Hidden {
				continue
			}
			commands++
			heading := fmt.Sprintf(".SS %q", strings.TrimSpace(name+" "+c.Name+" "+strings.ReplaceAll(c.ArgsUsage, "…", "...")))
			_, section, ok := strings.Cut(page, heading+"\n")
			if !ok {
				t.Errorf("the page has no %s", heading)
				continue
			}
			section, _, _ = strings.Cut(section, "\n.S")
			check(name+" "+c.Name, section, c.Flags, c.Subcommands)
		}
	}
	_, top, _ := strings.Cut(page, ".SH \"FLAGS OF ALL COMMANDS\"\n")
	top, _, _ = strings.Cut(top, "\n.SH")
	check("vlibmaster", top, app.Flags, app.Commands)
	if commands < 10 {
		t.Errorf("only %d commands were looked for", commands)
	}
	_, table, _ := strings.Cut(page, "\n.SH \"EXIT CODES\"\n")
	for _, e := range exits {
		if !strings.Contains(table, fmt.Sprintf("\n   %-4d %-14s %s\n", e.code, e.kind, e.meaning)) {
			t.Errorf("the page does not explain exit code %d", e.code)
		}
	}
	if strings.Contains(page, "guard HOST") {
		t.Error("the page has a hidden command")
	}
}

func TestConfigPageHasAllKeys(t *testing.T) {
	page := read(t, "vlibmaster.toml.5")
	for _, k := range config.Keys {
		if !strings.Contains(page, "\n.TP\n"+k.Name+"\n"+k.Meaning) {
			t.Errorf("the page does not have %s", k.Name)
		}
	}
}
