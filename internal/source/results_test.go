// SPDX-License-Identifier: Apache-2.0

package source

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A return statement with values sets the named results before deferred calls
// run: 'return nil, err' clears a result that a deferred call was to close. In
// this tree no function returns nil in place of a named result that one of its
// deferred calls uses, unless that call sets it.
func TestDeferredCallsUseNoResultThatAReturnClears(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && strings.Trim(d.Name(), ".") != "", d.IsDir() && d.Name() == "out":
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		files++
		for _, fault := range faults(t, path, nil) {
			t.Error(fault)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatal(files, "files;", err)
	}
}

// The rule finds the faults for which it was written.
func TestTheRuleFindsClearedResults(t *testing.T) {
	const text = `package p
func open() (g *group, err error) {
	g = &group{}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if g.a, err = make(); err != nil {
		return nil, err
	}
	return g, nil
}
func fine() (_ *group, err error) {
	g := &group{}
	defer func() { g.close() }()
	return nil, err
}
func recovers() (lines []int, err error) {
	defer func() { lines, err = nil, error(recover()) }()
	return nil, nil
}`
	if got := faults(t, "p.go", text); len(got) != 1 || !strings.HasPrefix(got[0], "p.go:10:3: ") {
		t.Errorf("%q", got)
	}
}

func faults(t *testing.T, path string, text any) (all []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		var of *ast.FuncType
		var body *ast.BlockStmt
		switch f := n.(type) {
		case *ast.FuncDecl:
			of, body = f.Type, f.Body
		case *ast.FuncLit:
			of, body = f.Type, f.Body
		}
		if body == nil || of.Results == nil {
			return true
		}
		var results []string
		for _, r := range of.Results.List {
			for _, name := range r.Names {
				results = append(results, name.Name)
			}
		}
		used := deferred(body)
		returns(body, func(r *ast.ReturnStmt) {
			for i, value := range r.Results {
				if len(r.Results) != len(results) || !slices.Contains(used, results[i]) {
					continue
				}
				if name, ok := value.(*ast.Ident); ok && name.Name == "nil" {
					all = append(all, fmt.Sprintf("%v: returns nil for %s, which a deferred call uses", set.Position(r.Pos()), results[i]))
				}
			}
		})
		return true
	})
	return all
}

// deferred returns the names whose fields or methods a body's deferred calls
// use.
func deferred(body *ast.BlockStmt) (names []string) {
	ast.Inspect(body, func(n ast.Node) bool {
		d, ok := n.(*ast.DeferStmt)
		if !ok {
			return true
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if name, ok := s.X.(*ast.Ident); ok {
					names = append(names, name.Name)
				}
			}
			return true
		})
		return false
	})
	return names
}

// returns calls f for a body's own return statements.
func returns(body *ast.BlockStmt, f func(*ast.ReturnStmt)) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			f(s)
		}
		return true
	})
}
