// SPDX-License-Identifier: Apache-2.0

package reference

import (
	"os"
	"strings"
	"testing"
)

// Check compares the part of a page between the two lines that name it with
// text. The lines are
//
//	<!-- begin NAME: generated -->
//	<!-- end NAME -->
func Check(t *testing.T, page, name, text string) {
	t.Helper()
	whole, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin "+name+": generated -->\n", "<!-- end "+name+" -->\n"
	before, rest, begun := strings.Cut(string(whole), begin)
	old, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has no lines %q and %q", page, begin, end)
	}
	if old == text {
		return
	}
	if os.Getenv("VLIBOS_UPDATE") != "1" {
		t.Errorf("%s: the part %s differs from the code: run this test with VLIBOS_UPDATE=1", page, name)
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+text+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Table is a table of Markdown. Cells are escaped.
func Table(header []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + escape.Replace(c) + " ")
		}
		b.WriteString("|\n")
	}
	line(header)
	b.WriteString(strings.Repeat("|---", len(header)) + "|\n")
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

var escape = strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ")
