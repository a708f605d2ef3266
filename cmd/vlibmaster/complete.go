// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench/command"
	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/dom0/control"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

// cursor is a command line up to where something is to be completed.
type cursor struct {
	ctx     context.Context
	app     *cli.App
	command *cli.Command // nil: none yet
	words   []string     // its arguments
	flags   map[string]string
	value   cli.Flag // the flag whose value comes next; nil: none
	ended   bool     // "--" was there
}

// values are what flags can be, by their names: the same everywhere.
var values = map[string]func(*cursor) []string{
	"host":   func(*cursor) []string { return append(slices.Clone(directory.Hosts), directory.Gateway) },
	"class":  func(*cursor) []string { return master.Classes },
	"wait":   func(*cursor) []string { return waits() },
	"source": func(*cursor) []string { return calibrateSources },
	"job":    func(*cursor) []string { return corunner.Jobs() },
	"calls":  (*cursor).domains,
}

// arguments are what the arguments of a command can be, behind those before.
var arguments = map[string]func(*cursor) []string{
	"call":       (*cursor).callArguments,
	"services":   (*cursor).oneDomain,
	"adopt":      (*cursor).oneDomain,
	"release":    (*cursor).adopted,
	"completion": func(*cursor) []string { return shells },
	"bench":      func(*cursor) []string { return command.Experiments() },
	"help":       func(c *cursor) []string { return names(c.app.Commands) },
}

// completionTime is how long a shell may be kept by a master or a xenstored that
// does not answer.
const completionTime = 2 * time.Second

// complete prints what may come next, one a line: words are those of the line,
// with completionFlag. What cannot be found out is left out.
func complete(ctx context.Context, words []string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	app.Setup()
	c := &cursor{ctx: ctx, app: app, flags: make(map[string]string)}
	last := len(words) - 1
	at, split := strings.CutPrefix(words[last], completionFlag+"=")
	words = words[:last]
	if !split {
		at = ""
	}
	if n := len(words); !split && n > 0 && strings.HasPrefix(words[n-1], "-") {
		if f, _ := c.walk(words).find(words[n-1]); f == nil || c.value == nil {
			at, words = words[n-1], words[:n-1]
		}
		*c = cursor{ctx: ctx, app: app, flags: make(map[string]string)}
	}
	if at == "=" { // bash makes it a word
		at = ""
	}
	for _, word := range c.walk(words).next(at) {
		// bash expands what it is offered.
		if strings.HasPrefix(word, at) && !strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			if _, err := fmt.Fprintln(stdout, word); err != nil {
				return err
			}
		}
	}
	return nil
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+="

// walk moves the cursor behind whole words.
func (c *cursor) walk(words []string) *cursor {
	for _, w := range words {
		switch {
		case w == "=" && c.value != nil:
		case c.value != nil:
			c.flags[c.value.Names()[0]], c.value = w, nil
		case w == "--" && c.command != nil:
			c.ended = true
		case len(w) > 1 && w[0] == '-' && !c.ended:
			f, value := c.find(w)
			if d, ok := f.(cli.DocGenerationFlag); !ok || !d.TakesValue() {
				continue
			}
			if strings.Contains(w, "=") {
				c.flags[f.Names()[0]] = value
			} else {
				c.value = f
			}
		case c.command == nil:
			c.command = c.app.Command(w)
		case len(c.words) == 0 && len(c.command.Subcommands) > 0:
			c.command = cmp.Or(c.command.Command(w), c.command)
		default:
			c.words = append(c.words, w)
		}
	}
	return c
}

// known are the flags that may stand at the cursor.
func (c *cursor) known() []cli.Flag {
	all := []cli.Flag{cli.HelpFlag}
	if c.command != nil {
		all = append(all, c.command.Flags...)
	}
	return append(all, c.app.Flags...)
}

func (c *cursor) find(w string) (cli.Flag, string) {
	name, value, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
	return lookup(c.known(), name), value
}

// next is what may stand at the cursor, where a word has been begun.
func (c *cursor) next(begun string) (all []string) {
	prefix := ""
	if name, _, ok := strings.Cut(begun, "="); ok && c.value == nil && !c.ended {
		c.value, _ = c.find(begun)
		prefix = name + "="
	}
	switch {
	case c.value != nil:
		if of := values[c.value.Names()[0]]; of != nil {
			for _, v := range of(c) {
				all = append(all, prefix+v)
			}
		}
	case strings.HasPrefix(begun, "-") && !c.ended:
		for _, f := range c.known() {
			if v, ok := f.(cli.VisibleFlag); !ok || v.IsVisible() {
				all = append(all, "--"+f.Names()[0])
			}
		}
	case c.command == nil:
		return names(c.app.Commands)
	case len(c.command.Subcommands) > 0:
		return names(c.command.Subcommands)
	case arguments[c.command.Name] != nil:
		return arguments[c.command.Name](c)
	}
	return all
}

func names(commands []*cli.Command) (all []string) {
	for _, c := range commands {
		if !c.Hidden {
			all = append(all, c.Name)
		}
	}
	return all
}

func (c *cursor) oneDomain() []string {
	if len(c.words) > 0 {
		return nil
	}
	return c.domains()
}

// adopted are the domains that can be released; where no master says which, all.
func (c *cursor) adopted() (all []string) {
	if len(c.words) > 0 {
		return nil
	}
	m := control.NewClient(filepath.Join(c.get("run-dir"), socketName))
	defer m.Close()
	host, err := m.Domains(c.ctx)
	if err != nil {
		return c.domains()
	}
	for _, s := range host.Adopted {
		all = append(all, cmp.Or(s.Name, s.UUID))
	}
	return all
}

func (c *cursor) callArguments() []string {
	switch {
	case len(c.words) == 0:
		return c.domains()
	case len(c.words) == 1:
		return []string{builtin.Library}
	case len(c.words) == 2 && c.words[1] == builtin.Library:
		return []string{builtin.Echo, builtin.Services, builtin.Run}
	}
	return nil
}

// get is a flag as the line, the environment or its default has it.
func (c *cursor) get(name string) string {
	f, ok := lookup(c.known(), name).(*cli.StringFlag)
	if !ok {
		return ""
	}
	value := cmp.Or(c.flags[name], f.Value)
	if c.flags[name] == "" && len(f.EnvVars) > 0 {
		value = cmp.Or(os.Getenv(f.EnvVars[0]), value)
	}
	return value
}

func (c *cursor) domains() (all []string) {
	cfg, err := choose(c.get)
	if err != nil {
		return nil
	}
	p, err := directory.Open(c.ctx, cfg)
	if err != nil {
		return nil
	}
	defer p.Close()
	found, err := p.Domains(c.ctx)
	if err != nil {
		return nil
	}
	for _, d := range found {
		all = append(all, cmp.Or(d.Name, d.ID))
	}
	return all
}
