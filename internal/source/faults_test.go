// SPDX-License-Identifier: Apache-2.0

package source

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/research/faults.md names the test of each fault; each of them is there.
func TestFaultsHaveTheTestsTheyName(t *testing.T) {
	page, err := os.ReadFile("../../docs/research/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, scripts := make(map[string]bool), make(map[string]bool)
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
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
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(page), -1) {
		if !tests[name] {
			t.Errorf("there is no test %s", name)
		}
	}
	for _, name := range regexp.MustCompile(`\w+\.txtar`).FindAllString(string(page), -1) {
		if !scripts[name] {
			t.Errorf("there is no script %s", name)
		}
	}
}
