// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/urfave/cli/v2"
)

// completionFlag is the word that the shells' scripts append to the line, followed by
// "=" and the word at the cursor. Without those two, the last word is the one at the
// cursor if it begins with a dash and is not a whole flag.
const completionFlag = "--generate-bash-completion"

// Each script calls the program with the words before the cursor and completionFlag,
// and the program prints the words that may be next.
const (
	bashScript = `_vlibmaster() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[@]:0:COMP_CWORD}" ` + completionFlag + `="$cur" 2>/dev/null)" -- "${cur#=}")
}
complete -o bashdefault -o default -F _vlibmaster vlibmaster
`
	zshScript = `#compdef vlibmaster
_vlibmaster() {
	local -a reply
	reply=("${(@f)$("${(@)words[1,CURRENT-1]}" ` + completionFlag + `="${words[CURRENT]}" 2>/dev/null)}")
	reply=("${(@)reply:#}")
	(( $#reply )) && compadd -- "${reply[@]}" || _files
}
# A file in fpath is read at its first use, and must complete then.
if [[ $funcstack[1] == _vlibmaster ]]; then
	_vlibmaster "$@"
else
	compdef _vlibmaster vlibmaster
fi
`
	fishScript = `function __vlibmaster
	set -l ask (commandline -opc)
	set -l cur (commandline -ct)
	set -l found ($ask ` + completionFlag + `="$cur" 2>/dev/null)
	if set -q found[1]
		printf '%s\n' $found
	else
		__fish_complete_path $cur
	end
end
complete -c vlibmaster -f -a '(__vlibmaster)'
`
)

// shells are the shells with a script.
var shells = []string{"bash", "zsh", "fish"}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: `   bash   source <(vlibmaster completion bash)
   zsh    source <(vlibmaster completion zsh)        (after compinit)
   fish   vlibmaster completion fish | source

It completes commands, flags and their values, and the domains of this host.`,
		Action: func(c *cli.Context) error {
			script, ok := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef("completion needs one of bash, zsh, fish")
			}
			_, err := io.WriteString(c.App.Writer, script)
			return err
		},
	}
}
