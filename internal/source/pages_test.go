// SPDX-License-Identifier: Apache-2.0

package source

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

const (
	readmeLines = 80
	columns     = 100
	cellWords   = 25
)

// eachFile calls visit for every file of the repository.
func eachFile(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "out" || d.Name() == "bin"):
			return fs.SkipDir
		case d.Type().IsRegular():
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are all Markdown files of the repository, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	eachFile(t, func(path string) {
		if filepath.Ext(path) == ".md" {
			all[path] = readFile(t, path)
		}
	})
	if len(all) < 20 {
		t.Fatal(len(all), "pages")
	}
	return all
}

func TestReadmeIsShort(t *testing.T) {
	text := pages(t)["../../README.md"]
	if n := strings.Count(text, "\n"); n == 0 || n >= readmeLines {
		t.Errorf("README.md has %d lines, want fewer than %d", n, readmeLines)
	}
}

func TestLinksResolve(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, problem := range brokenLinks(path, text, func(to string) (string, bool) {
			_, err := os.Stat(to)
			return all[to], err == nil
		}) {
			t.Errorf("%s: %s", path, problem)
		}
	}
}

// A path in backquotes that begins with a folder of this repository is there.
func TestPathsInPagesExist(t *testing.T) {
	for path, text := range pages(t) {
		textLines(text, func(n int, s string) {
			for _, span := range codeSpan.FindAllString(s, -1) {
				name := strings.Trim(span, "`")
				room, _, inside := strings.Cut(name, "/")
				if !inside || room == "" || room == "bin" || room == "out" || strings.ContainsAny(name, " *…<") {
					continue
				}
				if _, err := os.Stat("../../" + room); err != nil {
					continue
				}
				if _, err := os.Stat("../../" + name); err != nil {
					t.Errorf("%s:%d: there is no %s", path, n, name)
				}
			}
		})
	}
}

// Go code of a page is a part of a tested example, or a program whose main is one.
func TestGoCodeOfPagesIsTested(t *testing.T) {
	examples := readFile(t, "../../example_test.go")
	block := regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	body := regexp.MustCompile(`(?s)\nfunc main\(\) \{\n(.*)\}\n`)
	for path, text := range pages(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			code := m[1]
			if whole := body.FindStringSubmatch(code); whole != nil {
				code = whole[1]
			}
			if !strings.Contains(examples, code) {
				t.Errorf("%s: not in example_test.go: %s", path, code)
			}
		}
	}
}

// A page that a file names, in a comment or a message, is there.
func TestNamedPagesExist(t *testing.T) {
	name := regexp.MustCompile(`\bdocs/[\w/-]+\.md`)
	eachFile(t, func(path string) {
		for _, page := range name.FindAllString(readFile(t, path), -1) {
			if _, err := os.Stat("../../" + page); err != nil {
				t.Errorf("%s: there is no %s", path, page)
			}
		}
	})
}

// docs/README.md leads to every page of docs.
func TestIndexHasEveryPage(t *testing.T) {
	all := pages(t)
	for path := range all {
		page, inside := strings.CutPrefix(path, "../../docs/")
		if inside && page != "README.md" && !strings.Contains(all["../../docs/README.md"], "]("+page+")") {
			t.Errorf("docs/README.md has no link to %s", page)
		}
	}
}

func TestPagesAreNarrow(t *testing.T) {
	for path, text := range pages(t) {
		for _, problem := range wideLines(text) {
			t.Errorf("%s: %s", path, problem)
		}
	}
}

// The checks themselves find what they are for.
func TestPageChecksFindProblems(t *testing.T) {
	const page = "# A b: `c`\n\n[x](other.md#gone) [y](#a-b-c) [z](#nope) [w](https://example.org) [v](absent.md)\n" +
		"```\n[code](nowhere.md)\n```\n    [code](nowhere.md)\n"
	got := brokenLinks("d/p.md", page, func(to string) (string, bool) { return "# There", to == "d/other.md" })
	if len(got) != 3 || !strings.Contains(got[0], "other.md#gone") || !strings.Contains(got[1], "#nope") || !strings.Contains(got[2], "absent.md") {
		t.Errorf("%q", got)
	}
	long := strings.Repeat("word ", 26)
	if got := wideLines(long + "\n\n    " + long + "\n| a | " + long + "|\n| " + long[:100] + " | " + long[:100] + " |\nhttps://" + strings.Repeat("x", 100) + "\n"); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// textLines calls line for each line that is no code, with its number.
func textLines(text string, line func(n int, s string)) {
	fenced, n := false, 0
	for s := range strings.Lines(text) {
		s = strings.TrimRight(s, "\n")
		n++
		if strings.HasPrefix(strings.TrimSpace(s), "```") {
			fenced = !fenced
			continue
		}
		if !fenced && !strings.HasPrefix(s, "    ") {
			line(n, s)
		}
	}
}

var (
	codeSpan = regexp.MustCompile("`[^`]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`^#+ (.*)`)
)

// brokenLinks are relative links to files or headings that there are not. find
// returns a page's text, empty for another file, and whether it is there.
func brokenLinks(path, text string, find func(to string) (string, bool)) (problems []string) {
	var whole strings.Builder
	textLines(text, func(_ int, s string) { whole.WriteString(s + "\n") })
	for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(whole.String(), ""), -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		to, there := text, true
		if file != "" {
			to, there = find(filepath.Join(filepath.Dir(path), file))
		}
		switch {
		case !there:
			problems = append(problems, "there is no "+m[1])
		case anchor != "" && !anchors(to)[anchor]:
			problems = append(problems, "there is no heading for "+m[1])
		}
	}
	return problems
}

// anchors are the names that GitHub gives to a page's headings.
func anchors(text string) map[string]bool {
	all := make(map[string]bool)
	textLines(text, func(_ int, s string) {
		m := heading.FindStringSubmatch(s)
		if m == nil {
			return
		}
		all[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])] = true
	})
	return all
}

// wideLines are lines of more than 100 columns that are no code, table or
// address, and cells of tables with more than 25 words.
func wideLines(text string) (problems []string) {
	textLines(text, func(_ int, s string) {
		if !strings.HasPrefix(s, "|") {
			if utf8.RuneCountInString(s) > columns && !strings.Contains(s, "://") {
				problems = append(problems, "more than 100 columns: "+s)
			}
			return
		}
		for cell := range strings.SplitSeq(strings.ReplaceAll(s, `\|`, ""), "|") {
			if len(strings.Fields(cell)) > cellWords {
				problems = append(problems, "a cell of more than 25 words: "+strings.TrimSpace(cell))
			}
		}
	})
	return problems
}
