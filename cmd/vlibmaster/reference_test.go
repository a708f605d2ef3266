// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/internal/reference"
)

const pages = "../../docs/"

// docs/reference/commands.md is the programs' help.
func TestReferenceOfCommandsIsTheHelp(t *testing.T) {
	app := newApp(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})
	app.Setup()
	reference.Check(t, pages+"reference/commands.md", "help", masterPage(app).Markdown())
}

// docs/reference/exit-codes.md has all exit codes, and nothing else.
func TestReferenceOfExitCodesIsTheirTable(t *testing.T) {
	var rows [][]string
	for _, e := range exits {
		rows = append(rows, []string{strconv.Itoa(e.code), "`" + e.kind + "`", e.meaning})
	}
	reference.Check(t, pages+"reference/exit-codes.md", "codes", reference.Table([]string{"code", "kind", "meaning"}, rows))
}

// docs/troubleshooting.md says what to do about each exit code but success.
func TestReferenceOfTroublesHasEveryExitCode(t *testing.T) {
	text, err := os.ReadFile(pages + "troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range exits[1:] {
		if row := fmt.Sprintf("\n| %d | %s | ", e.code, e.kind); !strings.Contains(string(text), row) {
			t.Errorf("there is no row %q", row)
		}
	}
}

// docs/reference/configuration.md has all keys, and nothing else.
func TestReferenceOfConfigurationIsItsKeys(t *testing.T) {
	var b strings.Builder
	for i := 0; i < len(config.Keys); {
		table := config.Keys[i].Table
		var rows [][]string
		for ; i < len(config.Keys) && config.Keys[i].Table == table; i++ {
			k := config.Keys[i]
			example := ""
			if k.Example != "" {
				example = "`" + k.Example + "`"
			}
			rows = append(rows, []string{"`" + k.Name + "`", k.Meaning, k.Values, k.Default, example})
		}
		if table != "" {
			fmt.Fprintf(&b, "\n## `%s`\n\n", table)
		}
		b.WriteString(reference.Table([]string{"key", "meaning", "values", "default", "example"}, rows))
	}
	reference.Check(t, pages+"reference/configuration.md", "keys", b.String())
}
