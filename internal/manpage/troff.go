// SPDX-License-Identifier: Apache-2.0

package manpage

import "strings"

// troff is a page's source.
type troff struct{ strings.Builder }

// macro writes a line with a request and its arguments.
func (b *troff) macro(name string, args ...string) {
	b.WriteString("." + name)
	for _, a := range args {
		b.WriteString(` "` + strings.ReplaceAll(escape(a), `"`, `\(dq`) + `"`)
	}
	b.WriteByte('\n')
}

func (b *troff) bold(s string) { b.WriteString(`\fB` + escape(s) + "\\fR\n") }

// text writes one line of a paragraph, which troff fills.
func (b *troff) text(s string) { b.WriteString(guard(escape(strings.TrimSpace(s))) + "\n") }

// example writes lines that troff does not fill.
func (b *troff) example(lines []string) {
	b.macro("nf")
	for _, l := range lines {
		b.WriteString(guard(escape(l)) + "\n")
	}
	b.macro("fi")
}

// prose writes paragraphs, and indented lines as examples.
func (b *troff) prose(lines []string) {
	for i, part := range parts(lines) {
		if i > 0 {
			b.macro("PP")
		}
		if indented(part[0]) {
			b.example(part)
			continue
		}
		for _, l := range part {
			b.text(l)
		}
	}
}

// parts splits lines into paragraphs and examples. An example includes the
// empty lines between its own.
func parts(lines []string) (all [][]string) {
	for len(lines) > 0 {
		n := 0
		switch {
		case lines[0] == "":
			lines = lines[1:]
			continue
		case indented(lines[0]):
			for n < len(lines) && (indented(lines[n]) || lines[n] == "" && n+1 < len(lines) && indented(lines[n+1])) {
				n++
			}
		default:
			for n < len(lines) && lines[n] != "" && !indented(lines[n]) {
				n++
			}
		}
		all = append(all, lines[:n:n])
		lines = lines[n:]
	}
	return all
}

func indented(line string) bool { return strings.HasPrefix(line, " ") }

// escape escapes all characters that are special to troff. Dashes and quotes stay those
// of ASCII, so that a reader can copy them.
func escape(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", "...")

// guard prevents a line from being a request, and an empty one from being dropped.
func guard(line string) string {
	if line == "" || line[0] == '.' {
		return `\&` + line
	}
	return line
}
