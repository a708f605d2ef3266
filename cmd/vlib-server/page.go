// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/internal/manpage"
)

// page is the program's help as a manual page.
func page(app *cli.App) manpage.Page {
	return manpage.Page{
		Name: app.Name, Section: 8, Summary: app.Usage, Date: manpage.Date(time.Now()), Version: version(),
		Synopsis: []string{app.Name + " [FLAG...]"},
		Text:     app.Description,
		Groups: []manpage.Group{
			manpage.Flags("FLAGS", app.Flags),
			{Title: "FILES", Entries: []manpage.Entry{{
				Name:    "/etc/default/vlib-server",
				Meaning: "VLIB_SERVER_FLAGS, the flags with which the service vlib-server is started",
			}}},
		},
		SeeAlso: []string{"vlib-worker(8)", "vlibmaster(8)"},
	}
}
