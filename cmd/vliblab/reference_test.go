// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/vlibos/vlibos/internal/manpage"
	"github.com/vlibos/vlibos/internal/reference"
)

// docs/reference/vliblab.md is the program's help.
func TestReferenceIsTheHelp(t *testing.T) {
	app := newApp(nil, nil, nil)
	page := manpage.Page{Name: app.Name, Summary: app.Usage, Text: app.Description}
	page.Groups = append([]manpage.Group{manpage.Flags("FLAGS", app.Flags), {Title: "COMMANDS"}}, manpage.Commands(app.Name, app.Commands)...)
	reference.Check(t, "../../docs/reference/vliblab.md", "help", page.Markdown())
}
