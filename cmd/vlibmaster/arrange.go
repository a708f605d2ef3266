// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts the words of a command line into the order that package cli
// requires: global flags, the command, its flags, "--", arguments. Users may write
// flags anywhere. A word that looks like a number is no flag, and no word after "--"
// is. Help takes precedence over the rest of the line. Unknown flags and commands,
// and missing required flags, are usage errors.
func arrange(app *cli.App, args []string) ([]string, error) {
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
	out = append(out, a.path...)
	if a.help != "" {
		return append(out, a.help), nil
	}
	if err := a.complete(); err != nil {
		return nil, err
	}
	out = append(out, a.flags...)
	if len(a.words) > 0 {
		out = append(append(out, "--"), a.words...)
	}
	return out, nil
}

// arranger parses a command line word by word.
type arranger struct {
	app                  *cli.App
	rest                 []string // not parsed yet
	command              *cli.Command
	path                 []string // names of the command and of those above it
	global, flags, words []string // parsed; flags with a value as --name=value
	given                []cli.Flag
	pending              cli.Flag // its value is missing at the end of the line
	ended                bool     // "--" was there
	help                 string   // the word that asks for help
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
		a.words, a.rest, a.ended = append(a.words, a.rest...), nil, true
		return nil
	case len(w) > 1 && w[0] == '-':
		return a.flag(w)
	case a.command == nil:
		if a.command = a.app.Command(w); a.command == nil {
			return usagef("there is no command %q: see vlibmaster --help", w)
		}
		a.path = []string{a.command.Name}
		return nil
	case len(a.words) == 0 && len(a.command.Subcommands) > 0:
		sub := a.command.Command(w)
		if sub == nil {
			return usagef("%s has no command %q: see vlibmaster %[1]s --help", a.name(), w)
		}
		a.command, a.path = sub, append(a.path, sub.Name)
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
			way = "see vlibmaster " + a.name() + " --help, or write -- before arguments that begin with a dash"
		}
		return usagef("there is no flag %q: %s", w, way)
	}
	if to == &a.flags && slices.Contains(cli.HelpFlag.Names(), name) {
		a.help = w
		return nil
	}
	again := slices.Contains(a.given, flag)
	a.given = append(a.given, flag)
	if d, ok := flag.(cli.DocGenerationFlag); !ok || !d.TakesValue() {
		*to = append(*to, w)
		return nil
	}
	if s, ok := flag.(cli.DocGenerationSliceFlag); again && !(ok && s.IsSliceFlag()) {
		return usagef("flag --%s is given twice: one of its values would be dropped", name)
	}
	if !hasValue {
		if len(a.rest) == 0 {
			a.pending = flag
			return usagef("flag %s needs a value", w)
		}
		value = a.take()
	}
	if err := checkNumber(flag, value); err != nil {
		return usagef("--%s %q: %w", name, value, err)
	}
	*to = append(*to, "--"+name+"="+value)
	return nil
}

// checkNumber returns an error if the flag needs a number and the value is none.
func checkNumber(flag cli.Flag, value string) (err error) {
	switch flag.(type) {
	case *cli.IntFlag:
		if _, err = strconv.ParseInt(value, 0, 64); err != nil {
			err = errors.New("want a whole number")
		}
	case *cli.Uint64Flag:
		if _, err = strconv.ParseUint(value, 0, 64); err != nil {
			err = errors.New("want a whole number, 0 or more")
		}
	}
	return err
}

// name is the command's name after those of the commands above it.
func (a *arranger) name() string { return strings.Join(a.path, " ") }

// complete returns an error that says what to add if required flags are missing.
func (a *arranger) complete() error {
	var missing, usages []string
	for _, f := range a.command.Flags {
		r, ok := f.(cli.RequiredFlag)
		if !ok || !r.IsRequired() || slices.Contains(a.given, f) {
			continue
		}
		usage := cli.FlagStringer(f) // "--budget TIME\tTIME on a CPU"
		flag, meaning, _ := strings.Cut(usage, "\t")
		missing, usages = append(missing, "--"+f.Names()[0]), append(usages, fmt.Sprintf("%s (%s)", flag, meaning))
	}
	if len(missing) == 0 {
		return nil
	}
	return usagef("%s needs %s: add %s", a.name(), strings.Join(missing, " and "), strings.Join(usages, " and "))
}

// find returns a flag that may be next, and the list that it belongs to.
func (a *arranger) find(name string) (cli.Flag, *[]string) {
	if a.command == nil {
		return lookup(a.known(), name), &a.global
	}
	if f := lookup(slices.Concat(a.command.Flags, []cli.Flag{cli.HelpFlag}), name); f != nil {
		return f, &a.flags
	}
	return lookup(a.app.Flags, name), &a.global
}

// known are the flags that may be next.
func (a *arranger) known() []cli.Flag {
	all := []cli.Flag{cli.HelpFlag}
	if a.command != nil {
		all = append(all, a.command.Flags...)
	}
	return append(all, a.app.Flags...)
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
