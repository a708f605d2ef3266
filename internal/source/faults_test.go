// SPDX-License-Identifier: Apache-2.0

package source

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Pages name tests and scripts that exist; docs/research/faults.md has one for
// each fault.
func TestPagesNameTestsThatExist(t *testing.T) {
	tests, scripts := make(map[string]bool), make(map[string]bool)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasSuffix(path, ".txtar") {
			scripts[d.Name()] = true
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				tests[f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	test, script := regexp.MustCompile(`\bTest[A-Z]\w+`), regexp.MustCompile(`\w+\.txtar`)
	for path, page := range pages(t) {
		for _, name := range test.FindAllString(page, -1) {
			if !tests[name] {
				t.Errorf("%s: there is no test %s", path, name)
			}
		}
		for _, name := range script.FindAllString(page, -1) {
			if !scripts[name] {
				t.Errorf("%s: there is no script %s", path, name)
			}
		}
	}
}
