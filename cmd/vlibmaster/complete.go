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
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

// cursor is the place in a command line where a word is completed: the arranger has
// parsed the words before it.
type cursor struct {
	arranger
	ctx context.Context
}

// values returns the values of flags, by name. A name means the same in all commands.
var values = map[string]func(*cursor) []string{
	"host":   func(*cursor) []string { return append(slices.Clone(directory.Hosts), directory.Gateway) },
	"class":  func(*cursor) []string { return host.Classes },
	"wait":   func(*cursor) []string { return waits() },
	"source": func(*cursor) []string { return calibrateSources },
	"job":    func(*cursor) []string { return corunner.Jobs() },
	"calls":  (*cursor).domains,
}

// arguments returns a command's next argument.
var arguments = map[string]func(*cursor) []string{
	"call":       (*cursor).callArguments,
	"services":   (*cursor).oneDomain,
	"adopt":      (*cursor).oneDomain,
	"describe":   (*cursor).oneDomain,
	"release":    (*cursor).adopted,
	"completion": func(*cursor) []string { return shells },
	"bench":      func(*cursor) []string { return command.Experiments() },
	"help":       func(c *cursor) []string { return names(c.app.Commands) },
}

// completionTime limits how long a master or a xenstored that does not answer can
// delay the shell.
const completionTime = 2 * time.Second

// complete prints the words that may be next, one on each line. words is the line
// with completionFlag. Domains of a host that does not answer are left out.
func complete(ctx context.Context, words []string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	last := len(words) - 1
	at, split := strings.CutPrefix(words[last], completionFlag+"=")
	words = words[:last]
	if !split {
		at = ""
	}
	c := parsed(ctx, words)
	if n := len(words); !split && n > 0 && strings.HasPrefix(words[n-1], "-") && c.pending == nil {
		at = words[n-1] // a flag that has only been begun
		c = parsed(ctx, words[:n-1])
	}
	if at == "=" { // a word of its own in bash
		at = ""
	}
	for _, word := range c.next(at) {
		// bash expands the words that it is offered.
		if strings.HasPrefix(word, at) && !strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			if _, err := fmt.Fprintln(stdout, word); err != nil {
				return err
			}
		}
	}
	return nil
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+="

// parsed is the cursor after words. Wrong words are skipped.
func parsed(ctx context.Context, words []string) *cursor {
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	app.Setup()
	// bash splits --flag=value into three words.
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "=" })
	c := &cursor{ctx: ctx, arranger: arranger{app: app, rest: words}}
	for len(c.rest) > 0 {
		_ = c.arranger.next()
	}
	return c
}

// next returns the words that may be next, of which one has been begun.
func (c *cursor) next(begun string) (all []string) {
	flag, prefix := c.pending, ""
	if name, _, ok := strings.Cut(begun, "="); ok && flag == nil && !c.ended {
		flag, _ = c.find(strings.TrimLeft(name, "-"))
		prefix = name + "="
	}
	switch {
	case flag != nil:
		if of := values[flag.Names()[0]]; of != nil {
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

// adopted returns the domains that can be released, or all if no master answers.
func (c *cursor) adopted() (all []string) {
	if len(c.words) > 0 {
		return nil
	}
	m := client.New(filepath.Join(c.get("run-dir"), api.SocketName))
	defer m.Close()
	known, err := m.Host(c.ctx)
	if err != nil {
		return c.domains()
	}
	for _, s := range known.Reservations {
		if s.Domain != nil {
			all = append(all, cmp.Or(s.Name, s.Domain.UUID))
		}
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

// get returns the value of a flag: of the line, of the environment, or its default.
func (c *cursor) get(name string) string {
	f, ok := lookup(c.known(), name).(*cli.StringFlag)
	if !ok {
		return ""
	}
	for _, given := range slices.Concat(c.global, c.flags) {
		if value, ok := strings.CutPrefix(given, "--"+name+"="); ok {
			return value
		}
	}
	for _, v := range f.EnvVars {
		if value := os.Getenv(v); value != "" {
			return value
		}
	}
	return f.Value
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
