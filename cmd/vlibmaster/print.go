// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/internal/manpage"
)

// printed are the files of the package that this program generates.
var printed = map[string]func(c *cli.Context) error{
	"vlibmaster.8":      func(c *cli.Context) error { return masterPage(c.App).Write(c.App.Writer) },
	"vlibmaster.toml.5": func(c *cli.Context) error { return configPage().Write(c.App.Writer) },
	"vlibmaster.toml": func(c *cli.Context) error {
		_, err := io.WriteString(c.App.Writer, config.Installed())
		return err
	},
}

// printCommand runs while a package is built.
func printCommand() *cli.Command {
	return &cli.Command{
		Name: "print", Hidden: true, ArgsUsage: "FILE",
		Action: func(c *cli.Context) error {
			write, ok := printed[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef("print needs one of vlibmaster.8, vlibmaster.toml.5, vlibmaster.toml")
			}
			return write(c)
		},
	}
}

func masterPage(app *cli.App) manpage.Page {
	p := manpage.Page{
		Name: app.Name, Section: 8, Summary: app.Usage, Date: manpage.Date(time.Now()), Version: version().Version,
		Synopsis: []string{app.Name + " [FLAG...] COMMAND [FLAG...] [ARGUMENT...]"},
		Text:     app.Description,
		Groups:   []manpage.Group{manpage.Flags("FLAGS OF ALL COMMANDS", app.Flags), {Title: "COMMANDS", Text: "Each takes --help."}},
		SeeAlso:  []string{"vlibmaster.toml(5)", "vlib-server(8)", "xl(1)"},
	}
	p.Groups = append(p.Groups, manpage.Commands(app.Name, app.Commands)...)
	p.Groups = append(p.Groups, manpage.Group{Title: "FILES", Entries: []manpage.Entry{
		{Name: config.DefaultFile, Meaning: "the master's configuration, see vlibmaster.toml(5)"},
		{Name: api.DefaultRunDir, Meaning: "the running master's socket, lock and state; empty after a boot"},
	}})
	return p
}

func configPage() manpage.Page {
	p := manpage.Page{
		Name: "vlibmaster.toml", Section: 5, Summary: "configuration of the vLibOS master", Date: manpage.Date(time.Now()), Version: version().Version,
		Text: config.DefaultFile + ` is read by 'vlibmaster serve' if it exists and no other
file is named. It is TOML, and every key is optional:

` + indent(config.Example()) + `
A time is a number with its unit: us, ms or s. Unknown keys and impossible values are
errors that name file and line. At the start the master then ends with the exit code
of a wrong configuration. On SIGHUP ('systemctl reload vlibmaster') it applies the
whole file, or nothing and logs the reason. Until then, changes by the commands adopt
and release remain.`,
		SeeAlso: []string{"vlibmaster(8)"},
	}
	for _, k := range config.Keys {
		title := "KEYS"
		if k.Table != "" {
			title = "KEYS IN " + k.Table
		}
		if n := len(p.Groups); n == 0 || p.Groups[n-1].Title != title {
			p.Groups = append(p.Groups, manpage.Group{Title: title})
		}
		g := &p.Groups[len(p.Groups)-1]
		g.Entries = append(g.Entries, manpage.Entry{Name: k.Name, Meaning: exampled(k)})
	}
	return p
}

func exampled(k config.Key) string {
	if k.Example == "" {
		return k.Text()
	}
	return fmt.Sprintf("%s (for example %s)", k.Text(), k.Example)
}

// indent turns a text into an example.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("   ")
		}
		b.WriteString(line)
	}
	return b.String()
}
