// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/builtin"
	"github.com/vlibos/vlibos/dom0"
)

// Each script asks the program itself: with the words up to the cursor and
// completionFlag it prints what may come next.
const (
	bashScript = `_vlibmaster() {
	local cur=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]:0:COMP_CWORD}")
	[[ $cur == -* ]] && words+=("$cur")
	mapfile -t COMPREPLY < <(compgen -W "$("${words[@]}" ` + completionFlag + ` 2>/dev/null)" -- "$cur")
}
complete -o bashdefault -o default -F _vlibmaster vlibmaster
`
	zshScript = `#compdef vlibmaster
_vlibmaster() {
	local -a ask reply
	ask=("${(@)words[1,CURRENT-1]}")
	[[ ${words[CURRENT]} == -* ]] && ask+=("${words[CURRENT]}")
	reply=("${(@f)$("${ask[@]}" ` + completionFlag + ` 2>/dev/null)}")
	compadd -- "${reply[@]%%:*}" || _files
}
compdef _vlibmaster vlibmaster
`
	fishScript = `function __vlibmaster
	set -l ask (commandline -opc)
	set -l cur (commandline -ct)
	string match -q -- '-*' $cur; and set -a ask $cur
	$ask ` + completionFlag + ` 2>/dev/null
end
complete -c vlibmaster -a '(__vlibmaster)'
`
)

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: `   bash   source <(vlibmaster completion bash)
   zsh    source <(vlibmaster completion zsh)        (after compinit)
   fish   vlibmaster completion fish | source

It completes commands, flags, and the domains of this host.`,
		Action: func(c *cli.Context) error {
			script, ok := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef("completion needs one of bash, zsh, fish")
			}
			_, err := io.WriteString(c.App.Writer, script)
			return err
		},
		BashComplete: func(c *cli.Context) {
			if c.NArg() == 0 {
				fmt.Fprintln(c.App.Writer, "bash\nzsh\nfish")
			}
		},
	}
}

// completeDomains offers flags, domains, and the built-in functions. It has no
// way to report an error: then it offers nothing.
func completeDomains(c *cli.Context) {
	words := c.Args().Slice()
	if n := len(words); n > 0 && strings.HasPrefix(words[n-1], "-") {
		for _, f := range c.Command.Flags {
			fmt.Fprintln(c.App.Writer, "--"+f.Names()[0])
		}
		return
	}
	switch {
	case len(words) == 0:
		for _, name := range domainNames(c) {
			fmt.Fprintln(c.App.Writer, name)
		}
	case c.Command.Name != "call":
	case len(words) == 1:
		fmt.Fprintln(c.App.Writer, builtin.Library)
	case len(words) == 2 && words[1] == builtin.Library:
		fmt.Fprintf(c.App.Writer, "%s\n%s\n%s\n", builtin.Echo, builtin.Services, builtin.Run)
	}
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+"

func domainNames(c *cli.Context) []string {
	cfg, err := chosen(c)
	if err != nil {
		return nil
	}
	p, err := dom0.Open(c.Context, cfg)
	if err != nil {
		return nil
	}
	defer p.Close()
	all, err := p.Domains(c.Context)
	if err != nil {
		return nil
	}
	var names []string
	for _, d := range all {
		name := d.Name
		if name == "" {
			name = d.ID
		}
		// bash expands what it is offered.
		if !strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			names = append(names, name)
		}
	}
	return names
}
