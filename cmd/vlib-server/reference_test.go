// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/vlibos/vlibos/internal/reference"
)

// docs/reference/vlib-server.md is the program's help.
func TestReferenceIsTheHelp(t *testing.T) {
	app := newApp(nil, nil, nil)
	app.Setup()
	reference.Check(t, "../../docs/reference/vlib-server.md", "help", page(app).Markdown())
}
