// SPDX-License-Identifier: Apache-2.0

package manpage

import (
	"strings"
	"unicode/utf8"
)

// columns of a line of Markdown prose.
const columns = 100

// Markdown is the page without its date and version, so that it changes only
// when the program's help does.
func (p Page) Markdown() string {
	var b markdown
	b.block("# " + p.Name)
	b.prose([]string{sentence(p.Summary)})
	b.example(p.Synopsis)
	description, sections := split(p.Text)
	b.prose(description)
	for _, g := range p.Groups {
		b.title(g.Title, g.Below)
		before, own := split(g.Text)
		b.prose(before)
		for _, s := range unsaid(own, sections) {
			b.block("**" + s.title + "**")
			b.prose(s.lines)
		}
		b.entries(g.Entries)
	}
	for _, s := range sections {
		b.title(s.title, false)
		b.prose(s.lines)
	}
	return b.String()
}

// markdown is a page's source: blocks with an empty line between two.
type markdown struct{ strings.Builder }

func (b *markdown) block(text string) {
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(strings.TrimRight(text, "\n") + "\n")
}

// title of a section or, of the first letter alone a capital, where the help
// has it in capitals.
func (b *markdown) title(s string, below bool) {
	if heading(s) {
		s = s[:1] + strings.ToLower(s[1:])
	}
	if below {
		b.block("### " + plain.Replace(s))
	} else {
		b.block("## " + plain.Replace(s))
	}
}

func (b *markdown) example(lines []string) {
	if len(lines) == 0 {
		return
	}
	b.block("```\n" + strings.Join(lines, "\n") + "\n```")
}

func (b *markdown) prose(lines []string) {
	for _, part := range parts(lines) {
		if !indented(part[0]) {
			b.block(wrap(plain.Replace(strings.Join(part, " ")), ""))
			continue
		}
		for i, l := range part {
			part[i] = strings.TrimPrefix(l, "   ")
		}
		b.example(part)
	}
}

func (b *markdown) entries(all []Entry) {
	var list strings.Builder
	for _, e := range all {
		list.WriteString(wrap("- `"+e.Name+"`: "+plain.Replace(e.Meaning), "  ") + "\n")
	}
	if list.Len() > 0 {
		b.block(list.String())
	}
}

// plain keeps Markdown from reading anything in a text.
var plain = strings.NewReplacer("*", `\*`, "<", "&lt;", "|", `\|`, "`", "'")

// wrap breaks a text at blanks; lines but the first begin with an indent. The
// name of an entry, in backquotes, stays whole.
func wrap(text, indent string) string {
	var b strings.Builder
	length, code := 0, false
	for i, word := range strings.Fields(text) {
		inside := code
		if strings.Count(word, "`")%2 == 1 {
			code = !code
		}
		switch n := utf8.RuneCountInString(word); {
		case i == 0:
			length = n
		case length+1+n > columns && !inside:
			b.WriteString("\n" + indent)
			length = len(indent) + n
		default:
			b.WriteByte(' ')
			length += 1 + n
		}
		b.WriteString(word)
	}
	return b.String()
}
