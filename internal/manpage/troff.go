// SPDX-License-Identifier: Apache-2.0

package manpage

import "strings"

// troff is the source of a page.
type troff struct{ strings.Builder }

// macro begins a line with a request and its arguments.
func (b *troff) macro(name string, args ...string) {
	b.WriteString("." + name)
	for _, a := range args {
		b.WriteString(` "` + strings.ReplaceAll(escape(a), `"`, `\(dq`) + `"`)
	}
	b.WriteByte('\n')
}

func (b *troff) bold(s string) { b.WriteString(`\fB` + escape(s) + "\\fR\n") }

// text writes one line of input, which troff fills.
func (b *troff) text(s string) { b.WriteString(guard(escape(strings.TrimSpace(s))) + "\n") }

// example writes lines that are shown unchanged.
func (b *troff) example(lines []string) {
	b.macro("nf")
	for _, l := range lines {
		b.WriteString(guard(escape(l)) + "\n")
	}
	b.macro("fi")
}

// prose writes paragraphs, and examples where lines are indented.
func (b *troff) prose(lines []string) {
	for begun := false; len(lines) > 0; {
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
		if begun {
			b.macro("PP")
		}
		begun = true
		if indented(lines[0]) {
			b.example(lines[:n])
		} else {
			for _, l := range lines[:n] {
				b.text(l)
			}
		}
		lines = lines[n:]
	}
}

func indented(line string) bool { return strings.HasPrefix(line, " ") }

// escape makes troff print s unchanged. A dash becomes a dash that can be
// copied, not a hyphen.
func escape(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", "...")

// guard makes a line that would be a request, or empty, ordinary text.
func guard(line string) string {
	if line == "" || line[0] == '.' {
		return `\&` + line
	}
	return line
}
