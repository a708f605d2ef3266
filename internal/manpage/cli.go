// SPDX-License-Identifier: Apache-2.0

package manpage

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// Flags describes the flags that are not hidden.
func Flags(title string, flags []cli.Flag) Group {
	return Group{Title: title, Entries: entries(flags)}
}

// Help returns a page with a program's help: its text, flags and commands.
func Help(app *cli.App) Page {
	groups := append([]Group{Flags("FLAGS", app.Flags), {Title: "COMMANDS"}}, Commands(app.Name, app.Commands)...)
	return Page{Name: app.Name, Summary: app.Usage, Text: app.Description, Groups: groups}
}

// Commands describes commands and their subcommands, in one group for each.
func Commands(program string, commands []*cli.Command) []Group {
	var groups []Group
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		g := Group{Title: strings.TrimSpace(program + " " + c.Name + " " + c.ArgsUsage), Below: true}
		g.Text = sentence(c.Usage)
		if c.Description != "" {
			g.Text += "\n\n" + c.Description
		}
		g.Entries = entries(c.Flags)
		groups = append(groups, g)
		groups = append(groups, Commands(program+" "+c.Name, c.Subcommands)...)
	}
	return groups
}

func entries(flags []cli.Flag) []Entry {
	var all []Entry
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
			continue
		}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			all = append(all, Entry{name(f, d), meaning(f, d)})
		}
	}
	return all
}

// name is the flag as it is written: --name VALUE, -n VALUE.
func name(f cli.Flag, d cli.DocGenerationFlag) string {
	value, _ := placeholder(d.GetUsage())
	if !d.TakesValue() {
		value = ""
	} else if value == "" {
		value = "VALUE"
	}
	var names []string
	for _, n := range f.Names() {
		dash := "--"
		if len(n) == 1 {
			dash = "-"
		}
		names = append(names, strings.TrimSpace(dash+n+" "+value))
	}
	return strings.Join(names, ", ")
}

// meaning is the flag's usage, its default, and its environment variables.
func meaning(f cli.Flag, d cli.DocGenerationFlag) string {
	_, usage := placeholder(d.GetUsage())
	var more []string
	if r, ok := f.(cli.RequiredFlag); ok && r.IsRequired() {
		more = append(more, "required")
	}
	if text := standard(d); text != "" {
		more = append(more, "default: "+text)
	}
	if vars := d.GetEnvVars(); len(vars) > 0 {
		more = append(more, "environment: "+strings.Join(vars, ", "))
	}
	if len(more) > 0 {
		usage += " (" + strings.Join(more, "; ") + ")"
	}
	return usage
}

// standard is the flag's default, or empty if that is the zero value.
func standard(d cli.DocGenerationFlag) string {
	switch text := d.GetDefaultText(); text {
	case `""`, "false", "[]", "0s":
		return ""
	default:
		return text
	}
}

// placeholder returns the word in backquotes of a usage, and the usage without the
// quotes.
func placeholder(usage string) (word, rest string) {
	before, after, ok := strings.Cut(usage, "`")
	if !ok {
		return "", usage
	}
	word, after, ok = strings.Cut(after, "`")
	if !ok {
		return "", usage
	}
	return word, before + word + after
}

// sentence begins a usage with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
