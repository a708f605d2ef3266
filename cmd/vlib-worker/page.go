// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/vlibos/vlibos/internal/manpage"
	"github.com/vlibos/vlibos/internal/release"
)

func page() manpage.Page {
	return manpage.Page{
		Name: "vlib-worker", Section: 8, Summary: "calls one library's functions for vlib-server", Date: manpage.Date(time.Now()), Version: release.Of().Version,
		Synopsis: []string{"vlib-worker LIBRARY"},
		Text: `vlib-worker is the process in which vlib-server loads one shared library of the
guest. It serves the socket that it inherits as descriptor 3, and ends when the
server closes that. It is not for the command line.

A library that crashes, exits or hangs takes this process with it and nothing
else. No core is written.

EXIT STATUS
   0    the server closed the socket
   1    the command line is wrong, or the socket is not a server's`,
		SeeAlso: []string{"vlib-server(8)"},
	}
}
