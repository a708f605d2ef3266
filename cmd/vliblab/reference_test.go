// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/vlibos/vlibos/internal/manpage"
	"github.com/vlibos/vlibos/internal/reference"
)

// docs/reference/vliblab.md is the program's help.
func TestReferenceIsTheHelp(t *testing.T) {
	reference.Check(t, "../../docs/reference/vliblab.md", "help", manpage.Help(newApp(nil, nil, nil)).Markdown())
}
