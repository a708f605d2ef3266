// SPDX-License-Identifier: Apache-2.0

package manpage

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Page is a manual page.
type Page struct {
	Name     string // of the described program or file, for example "vlibmaster"
	Section  int
	Summary  string // one line, without a full stop
	Synopsis []string
	Text     string // the description; headings in it become sections after Groups
	Groups   []Group
	SeeAlso  []string // for example "vlibmaster(8)"
	Date     time.Time
	Version  string
}

// Group is a section or subsection of flags, keys or files.
type Group struct {
	Title   string
	Below   bool // a subsection of the section before
	Text    string
	Entries []Entry
}

// Entry is one flag, key or file and its meaning.
type Entry struct{ Name, Meaning string }

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	var b troff
	// mandoc rejects a date with escapes.
	fmt.Fprintf(&b, ".TH \"%s\" %d %s \"%s\" \"vLibOS for Xen\"\n", escape(p.Name), p.Section, p.Date.UTC().Format(time.DateOnly), escape("vLibOS "+p.Version))
	b.macro("SH", "NAME")
	b.text(p.Name + " - " + p.Summary)
	if len(p.Synopsis) > 0 {
		b.macro("SH", "SYNOPSIS")
		b.example(p.Synopsis)
	}
	description, sections := split(p.Text)
	b.macro("SH", "DESCRIPTION")
	b.prose(description)
	for _, g := range p.Groups {
		if g.Below {
			b.macro("SS", g.Title)
		} else {
			b.macro("SH", g.Title)
		}
		b.group(g.Text, sections)
		for _, e := range g.Entries {
			b.macro("TP")
			b.bold(e.Name)
			b.text(e.Meaning)
		}
	}
	for _, s := range sections {
		b.macro("SH", s.title)
		b.prose(s.lines)
	}
	if len(p.SeeAlso) > 0 {
		b.macro("SH", "SEE ALSO")
		b.text(strings.Join(p.SeeAlso, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// group writes a group's text. A section that the page has too, such as the exit codes
// in the help of a command, is not repeated.
func (b *troff) group(text string, known []section) {
	before, own := split(text)
	b.prose(before)
	for _, s := range unsaid(own, known) {
		b.macro("PP")
		b.bold(s.title)
		b.prose(s.lines)
	}
}

// unsaid are a group's own sections without those that the page has too, such
// as the exit codes in the help of a command.
func unsaid(own, known []section) []section {
	return slices.DeleteFunc(own, func(s section) bool {
		return slices.ContainsFunc(known, func(k section) bool { return k.title == s.title && slices.Equal(k.lines, s.lines) })
	})
}

type section struct {
	title string
	lines []string
}

// split divides a text at its headings.
func split(text string) (before []string, sections []section) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch n := len(sections); {
		case heading(line):
			sections = append(sections, section{title: line})
		case n == 0:
			before = append(before, line)
		default:
			sections[n-1].lines = append(sections[n-1].lines, line)
		}
	}
	for i, s := range sections {
		for n := len(s.lines); n > 0 && s.lines[n-1] == ""; n-- {
			sections[i].lines = s.lines[:n-1]
		}
	}
	return before, sections
}

// heading reports whether a line consists of capitals and spaces and is not indented.
func heading(line string) bool {
	return len(line) > 1 && unicode.IsUpper(rune(line[0])) && !strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsUpper(r) && r != ' ' })
}

// Date is the date of a page: of the source if the build sets SOURCE_DATE_EPOCH, so
// that the same source gives the same page, and now otherwise.
func Date(now time.Time) time.Time {
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(s, 0)
	}
	return now
}
