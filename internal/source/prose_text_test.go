// SPDX-License-Identifier: Apache-2.0

package source

import (
	"go/scanner"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// passage is text without what surrounds it in a file: a comment, a string
// literal, a paragraph of a page. Its lines are joined by single spaces.
type passage struct {
	text  string
	start []int // offset in text of each line
	line  []int // the number of that line in the file
}

func (p *passage) add(line int, text string) {
	if text = strings.TrimSpace(text); p.text != "" {
		p.text += " "
	}
	p.start, p.line = append(p.start, len(p.text)), append(p.line, line)
	p.text += text
}

// at is the line of the file that has the text at an offset.
func (p *passage) at(offset int) int {
	line := 0
	for i, start := range p.start {
		if start <= offset {
			line = p.line[i]
		}
	}
	return line
}

// identifier is a name in a program, the first of its file.
type identifier struct {
	name string
	line int
}

var (
	cFile      = regexp.MustCompile(`\.([chs]|pml)$`)
	hashFile   = regexp.MustCompile(`\.(ya?ml|sh|service|toml)$|akefile$|^(\.ci|demo|packaging)/[^.]*$|/(check|hooks)$`)
	directive  = regexp.MustCompile(`^//(go:|\s*SPDX)`)
	inlineCode = regexp.MustCompile("`[^`]*`")
	listItem   = regexp.MustCompile(`^\s*([-*]|\d+\.) `)
	quotedText = regexp.MustCompile(`"[^"]* [^"]*"`)
	wordBreak  = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)
	cToken     = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[A-Za-z_]\w*`)
)

// read splits a file by its kind. Files of other kinds have no passages.
func read(path, text string) ([]passage, []identifier) {
	switch {
	case strings.HasSuffix(path, ".go"):
		return goText(text)
	case cFile.MatchString(path):
		return cText(text)
	case strings.HasSuffix(path, ".md"), strings.HasSuffix(path, ".html"), strings.HasSuffix(path, ".json"):
		return pageText(text), nil
	case strings.HasSuffix(path, ".txtar"):
		return scriptText(text), nil
	case hashFile.MatchString(path):
		return hashText(text), nil
	}
	return nil, nil
}

func goText(text string) (all []passage, names []identifier) {
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), nil, scanner.ScanComments)
	var comment, value passage
	last := 0 // line of the last comment
	flush := func(p *passage) {
		if p.text != "" {
			all = append(all, *p)
		}
		*p = passage{}
	}
	seen := make(map[string]bool)
	for {
		pos, tok, lit := s.Scan()
		line := file.Line(pos)
		switch tok {
		case token.EOF:
			flush(&comment)
			flush(&value)
			return all, names
		case token.COMMENT:
			if line != last+1 || strings.TrimSpace(lit) == "//" {
				flush(&comment)
			}
			for i, l := range strings.Split(lit, "\n") {
				if last = line + i; !directive.MatchString(l) {
					comment.add(last, strings.Trim(l, "/* \t"))
				}
			}
		case token.STRING:
			if unquoted, err := strconv.Unquote(lit); err == nil {
				for i, l := range strings.Split(unquoted, "\n") {
					if lit[0] != '`' {
						i = 0
					}
					if l = strings.TrimSpace(l); l == "" {
						flush(&value)
					} else {
						value.add(line+i, l)
					}
				}
			}
		case token.ADD, token.SEMICOLON: // "one " + "string"
			if tok == token.SEMICOLON {
				flush(&value)
			}
		case token.IDENT:
			if !seen[lit] {
				names = append(names, identifier{lit, line})
			}
			seen[lit] = true
			flush(&value)
		default:
			flush(&value)
		}
	}
}

func cText(text string) (all []passage, names []identifier) {
	seen := make(map[string]bool)
	for _, at := range cToken.FindAllStringIndex(text, -1) {
		lit, line := text[at[0]:at[1]], 1+strings.Count(text[:at[0]], "\n")
		switch {
		case lit[0] == '"', lit[0] == '/':
			var p passage
			for i, l := range strings.Split(lit, "\n") {
				if !strings.Contains(l, "SPDX") {
					p.add(line+i, strings.ReplaceAll(strings.Trim(l, "/* \t\""), `\n`, " "))
				}
			}
			all = append(all, p)
		case lit[0] != '\'' && !seen[lit]:
			seen[lit] = true
			names = append(names, identifier{lit, line})
		}
	}
	return all, names
}

// pageText are the paragraphs of a page: without blocks of code, and with a gap
// in the place of code in a line.
func pageText(text string) (all []passage) {
	var p passage
	flush := func() {
		if p.text != "" {
			all = append(all, p)
		}
		p = passage{}
	}
	code := false
	for i, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), "```") {
			code = !code
			l = ""
		}
		if l = inlineCode.ReplaceAllString(l, "`code`"); code || strings.TrimSpace(l) == "" || strings.HasPrefix(l, "    ") && p.text == "" {
			flush()
			continue
		}
		if strings.HasPrefix(l, "#") || strings.HasPrefix(l, "|") || listItem.MatchString(l) {
			flush()
		}
		p.add(i+1, l)
		if strings.HasPrefix(l, "#") || strings.HasPrefix(l, "|") {
			flush()
		}
	}
	flush()
	return all
}

// scriptText is every line of a script: it expects messages and help.
func scriptText(text string) (all []passage) {
	for i, l := range strings.Split(text, "\n") {
		var p passage
		p.add(i+1, strings.TrimLeft(l, "# "))
		all = append(all, p)
	}
	return all
}

// hashText are the comments after '#', and messages in quotes.
func hashText(text string) (all []passage) {
	var p passage
	for i, l := range strings.Split(text, "\n") {
		comment, own := strings.CutPrefix(strings.TrimSpace(l), "#")
		if own && !strings.HasPrefix(comment, "!") {
			p.add(i+1, comment)
			continue
		}
		if p.text != "" {
			all, p = append(all, p), passage{}
		}
		if _, after, ok := strings.Cut(l, " # "); ok {
			p.add(i+1, after)
			all, p = append(all, p), passage{}
		}
		for _, quoted := range quotedText.FindAllString(l, -1) {
			p.add(i+1, strings.Trim(quoted, `"`))
			all, p = append(all, p), passage{}
		}
	}
	return append(all, p)
}

// words are those of an identifier or a file name, in lower case.
func words(name string) (all []string) {
	name = wordBreak.ReplaceAllString(name, "$1$3 $2$4")
	return strings.FieldsFunc(strings.ToLower(filepath.Base(name)), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}
