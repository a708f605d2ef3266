// SPDX-License-Identifier: Apache-2.0

package manpage

import (
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/internal/cliflag"
)

func written(t *testing.T, p Page) string {
	t.Helper()
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageHasItsSectionsInOrder(t *testing.T) {
	got := written(t, Page{
		Name: "a-b", Section: 8, Summary: "does it", Date: time.Unix(0, 0), Version: "1~2",
		Synopsis: []string{"a-b FILE"},
		Text:     "First\nline.\n\n   an 'example'\n\n   of \\two\n\nSecond.\n\nEXIT CODES\n   0   fine\n",
		Groups: []Group{
			{Title: "FLAGS", Entries: []Entry{{"--x Y", "what \"Y\" is"}}},
			{Title: "a-b c", Below: true, Text: "Does c.\n\nEXIT CODES\n   0   fine\n\nOTHER\nText."},
		},
		SeeAlso: []string{"c(1)"},
	})
	want := `.TH "a\-b" 8 1970-01-01 "vLibOS 1\(ti2" "vLibOS for Xen"
.SH "NAME"
a\-b \- does it
.SH "SYNOPSIS"
.nf
a\-b FILE
.fi
.SH "DESCRIPTION"
First
line.
.PP
.nf
   an \(aqexample\(aq
\&
   of \etwo
.fi
.PP
Second.
.SH "FLAGS"
.TP
\fB\-\-x Y\fR
what "Y" is
.SS "a\-b c"
Does c.
.PP
\fBOTHER\fR
Text.
.SH "EXIT CODES"
.nf
   0   fine
.fi
.SH "SEE ALSO"
c(1)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMarkdownHasEveryPartOfThePage(t *testing.T) {
	got := Page{
		Name: "a-b", Section: 8, Summary: "does it", Date: time.Unix(0, 0), Version: "1~2",
		Synopsis: []string{"a-b FILE"},
		Text:     "First\nline of <two>.\n\n   an 'example'\n\n   of *two\n\nSecond.\n\nEXIT CODES\n   0   fine\n",
		Groups: []Group{
			{Title: "FLAGS", Entries: []Entry{{"--x Y", "what Y is, " + strings.Repeat("and more, ", 9) + "and all"}}},
			{Title: "a-b c", Below: true, Text: "Does c.\n\nEXIT CODES\n   0   fine\n\nOTHER\nText."},
		},
	}.Markdown()
	want := "# a-b\n\nDoes it.\n\n```\na-b FILE\n```\n\nFirst line of &lt;two>.\n\n```\nan 'example'\n\nof *two\n```\n\nSecond.\n" +
		"\n## Flags\n\n- `--x Y`: what Y is, and more, and more, and more, and more, and more, and more, and more, and\n  more, and more, and all\n" +
		"\n### a-b c\n\nDoes c.\n\n**OTHER**\n\nText.\n\n## Exit codes\n\n```\n0   fine\n```\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextIsNeverARequest(t *testing.T) {
	got := written(t, Page{Text: ".de evil\n'so /etc/passwd\n   .sy ls\n\n   .x\n\\n(.l"})
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "'") || strings.Contains(line, `\n(`) || strings.HasPrefix(line, ".de") || strings.HasPrefix(line, ".x") {
			t.Errorf("%q is a request", line)
		}
	}
}

func TestFlagsShowDefaultsAndVariables(t *testing.T) {
	got := Flags("FLAGS", []cli.Flag{
		&cli.StringFlag{Name: "dir", Value: "/x", EnvVars: []string{"DIR"}, Usage: "`DIR` to use"},
		&cliflag.Duration{Name: "time", Required: true, Usage: "how long"},
		&cli.BoolFlag{Name: "json", Aliases: []string{"j"}, Usage: "as JSON"},
		&cli.BoolFlag{Name: "secret", Hidden: true},
	}).Entries
	want := []Entry{
		{"--dir DIR", `DIR to use (default: "/x"; environment: DIR)`},
		{"--time VALUE", "how long (required)"},
		{"--json, -j", "as JSON"},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}

func TestHiddenCommandsAreLeftOut(t *testing.T) {
	got := Commands("p", []*cli.Command{
		{Name: "a", Usage: "do a", Description: "More.", Subcommands: []*cli.Command{{Name: "b", ArgsUsage: "X", Usage: "do b"}}},
		{Name: "h", Hidden: true},
	})
	if len(got) != 2 || got[0].Title != "p a" || got[0].Text != "Do a.\n\nMore." || got[1].Title != "p a b X" || got[1].Text != "Do b." {
		t.Errorf("%+v", got)
	}
}

func TestDateIsThatOfTheSource(t *testing.T) {
	now := time.Unix(1800000000, 0)
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	if d := Date(now); !d.Equal(time.Unix(86400, 0)) {
		t.Errorf("%v", d)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "")
	if d := Date(now); !d.Equal(now) {
		t.Errorf("%v", d)
	}
}
