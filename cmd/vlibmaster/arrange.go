// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// completionFlag is what the shells' scripts append; package cli reads it.
const completionFlag = "--generate-bash-completion"

// arrange puts the words of a command line in the order that package cli
// wants, which takes no flag behind the first positional: global flags, the
// command, its flags, "--", positionals. People write flags anywhere; what
// looks like a number is no flag, and behind "--" nothing is.
func arrange(app *cli.App, args []string) ([]string, error) {
	if len(args) < 2 || args[len(args)-1] == completionFlag {
		return args, nil
	}
	a := arranger{app: app, rest: args[1:]}
	for len(a.rest) > 0 {
		if err := a.next(); err != nil {
			return nil, err
		}
	}
	out := append([]string{args[0]}, a.global...)
	if a.command == nil {
		return out, nil
	}
	out = append(append(out, a.command.Name), a.flags...)
	if len(a.words) > 0 {
		out = append(append(out, "--"), a.words...)
	}
	return out, nil
}

type arranger struct {
	app                  *cli.App
	rest                 []string
	command              *cli.Command
	global, flags, words []string
}

func (a *arranger) take() string {
	w := a.rest[0]
	a.rest = a.rest[1:]
	return w
}

// next places one word, or a flag with its value.
func (a *arranger) next() error {
	w := a.take()
	switch {
	case w == "--" && a.command != nil:
		a.words = append(a.words, a.rest...)
		a.rest = nil
		return nil
	case len(w) > 1 && w[0] == '-':
		return a.flag(w)
	case a.command == nil:
		if a.command = a.app.Command(w); a.command == nil {
			return usagef("there is no command %q: see vlibmaster --help", w)
		}
		return nil
	}
	a.words = append(a.words, w)
	return nil
}

func (a *arranger) flag(w string) error {
	name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(w, "-"), "-"), "=")
	flag, to := a.find(name)
	if flag == nil {
		if a.command != nil && numeric(w) {
			a.words = append(a.words, w)
			return nil
		}
		way := "see vlibmaster --help"
		if a.command != nil {
			way = "see vlibmaster " + a.command.Name + " --help, or write -- before arguments that begin with a dash"
		}
		return usagef("there is no flag %q: %s", w, way)
	}
	if d, ok := flag.(cli.DocGenerationFlag); !ok || !d.TakesValue() {
		*to = append(*to, w)
		return nil
	}
	if !hasValue {
		if len(a.rest) == 0 {
			return usagef("flag %s needs a value", w)
		}
		value = a.take()
	}
	*to = append(*to, "--"+name+"="+value)
	return nil
}

// find returns the flag and where it goes.
func (a *arranger) find(name string) (cli.Flag, *[]string) {
	own := []cli.Flag{cli.HelpFlag}
	if a.command != nil {
		own = append(own, a.command.Flags...)
	} else {
		own = append(own, a.app.Flags...)
	}
	to := &a.flags
	if a.command == nil {
		to = &a.global
	}
	if f := lookup(own, name); f != nil {
		return f, to
	}
	return lookup(a.app.Flags, name), &a.global
}

func lookup(flags []cli.Flag, name string) cli.Flag {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}

// numeric reports whether w is a number that begins with a dash.
func numeric(w string) bool {
	if w[0] != '-' || strings.HasPrefix(w, "--") {
		return false
	}
	if _, err := strconv.ParseInt(w, 0, 64); err == nil {
		return true
	}
	_, err := strconv.ParseFloat(w[1:], 64)
	return err == nil || strings.ContainsAny(w[1:2], "0123456789.")
}
