// SPDX-License-Identifier: Apache-2.0

package source

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var rooms = flag.String("rooms", "", "files and folders, by commas, to which TestProseIsPlainEnglish is limited; the whole tree by default")

// Comments, messages, pages and names are plain English: the forms and names in
// prose_forms_test.go are not in the tree. The findings of some files and folders
// only:
//
//	go test ./internal/source -run Prose -rooms dom0/master,README.md
func TestProseIsPlainEnglish(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel("../..", path)
		switch {
		case d.IsDir() && (name == ".git" || name == "bin" || name == "out" || name == "LICENSES"):
			return fs.SkipDir
		case d.IsDir() || strings.HasPrefix(name, "internal/source/prose_") || !wanted(name):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, f := range prose(name, string(text)) {
			t.Error(f)
		}
		return nil
	})
	if err != nil || files == 0 && *rooms != "" {
		t.Fatal(files, "files;", err)
	}
}

// wanted reports whether a file is in one of the rooms that were asked for;
// without any, whether it is in the tree.
func wanted(name string) bool {
	for _, room := range strings.Split(*rooms, ",") {
		if name == room || strings.HasPrefix(name, strings.TrimSuffix(room, "/")+"/") {
			return true
		}
	}
	return *rooms == "" || *rooms == "all"
}

// prose are a file's banned forms and names, each with what to write instead.
func prose(name, text string) (all []string) {
	passages, identifiers := read(name, text)
	for _, p := range passages {
		for i, f := range forms {
			for _, at := range compiled[i].FindAllStringIndex(p.text, -1) {
				around := p.text[max(0, at[0]-24):min(len(p.text), at[1]+24)]
				if f.allowed != "" && regexp.MustCompile(`(?i)`+f.allowed).MatchString(around) {
					continue
				}
				all = append(all, fmt.Sprintf("%s:%d: %q: write %s (%s)", name, p.at(at[0]), around, f.instead, f.why))
			}
		}
	}
	for _, id := range append([]identifier{{strings.TrimSuffix(name, filepath.Ext(name)), 1}}, identifiers...) {
		for _, word := range words(id.name) {
			if instead, banned := names[word]; banned && !usual.MatchString(id.name) {
				all = append(all, fmt.Sprintf("%s:%d: the name %s: write %s (a stranger cannot tell what it names)", name, id.line, filepath.Base(id.name), instead))
			}
		}
	}
	return all
}

// The check finds what it is for, over line breaks too, and leaves the rest.
func TestProseCheckFindsBannedForms(t *testing.T) {
	for _, c := range []struct {
		name, text, found string // found is a part of the only finding; "" for none
	}{
		{"a.go", "package p\n\n// A domain is run so\n// long it may.\n", `a.go:3: `},
		{"a.go", "package p\n\nvar s = \"the one \" +\n\t\"who waits\"\n", "a.go:4: "},
		{"a.go", "package p\n\n// A user who calls.\n", ""},
		{"a.go", "package p\n\n// This processor has it not.\n", "has it not"},
		{"a.go", "package p\n\n// Ends. What is not done is left.\n", "begins with its subject"},
		{"a.go", "package p\n\n// Ends. What is not done?\n", ""},
		{"a.go", "package p\n\nvar lastPurse int\n", "the name lastPurse"},
		{"hand.go", "package p\n", "the name hand"},
		{"a.go", "package p\n\nvar handler, wired, lockHeldBy int // on the other hand, it is held\n", "lockHeldBy"},
		{"a.c", "/*\n * Nobody\n * waits.\n */\nint x;\n", "a.c:2: "},
		{"a.c", "int last_purse = 'a';\n", "the name last_purse"},
		{"a.md", "Text `who` is code.\n\n    who is code, too\n\n```\nwho\n```\n", ""},
		{"a.md", "# So long\n", "a.md:1: "},
		{"testdata/a.txtar", "stderr 'for somebody'\n", "a.txtar:1: "},
		{"Makefile", "# for everybody\nall:\n", "Makefile:1: "},
		{"b.service", "User=nobody\n", ""},
	} {
		got := strings.Join(prose(c.name, c.text), "\n")
		if (got == "") != (c.found == "") || !strings.Contains(got, c.found) || strings.Contains(got, "\n") {
			t.Errorf("%s %q: found %q", c.name, c.text, got)
		}
	}
}
