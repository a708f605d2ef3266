// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/vlibos/vlibos/internal/manpage"
	"github.com/vlibos/vlibos/internal/reference"
)

// docs/reference/vlibbench.md is the program's help.
func TestReferenceIsTheHelp(t *testing.T) {
	reference.Check(t, "../../docs/reference/vlibbench.md", "help", manpage.Help(newApp(nil, nil, nil)).Markdown())
}
