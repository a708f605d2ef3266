// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"fmt"
	"slices"
)

// lookup describes the packages of the given names. It leaves out names that are not
// offered, without an error.
type lookup func(names []string) ([]Package, error)

// closure follows dependencies from the seeds as far as follow selects them, level by
// level, and returns the packages sorted by name. Every seed must be offered. Of a
// dependency's alternatives it takes the first that is offered and that follow selects.
// If there is none, the dependency is left out: the caller notices missing files.
func closure(look lookup, seeds []string, follow func(string) bool) ([]Package, error) {
	have := make(map[string]Package)
	asked := make(map[string]bool)
	ask := func(names []string) error {
		var fresh []string
		for _, n := range names {
			if !asked[n] {
				asked[n] = true
				fresh = append(fresh, n)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		slices.Sort(fresh)
		pkgs, err := look(fresh)
		if err != nil {
			return err
		}
		for _, p := range pkgs {
			if _, dup := have[p.Name]; !dup {
				have[p.Name] = p
			}
		}
		return nil
	}

	if err := ask(seeds); err != nil {
		return nil, err
	}
	for _, s := range seeds {
		if _, ok := have[s]; !ok {
			return nil, fmt.Errorf("package %s: %w", s, ErrNotOffered)
		}
	}
	taken := make(map[string]bool)
	todo := slices.Clone(seeds)
	for len(todo) > 0 {
		var deps [][]string
		var names []string
		for _, n := range todo {
			if taken[n] {
				continue
			}
			taken[n] = true
			for _, alts := range have[n].Depends {
				alts = slices.DeleteFunc(slices.Clone(alts), func(a string) bool { return !follow(a) })
				deps = append(deps, alts)
				names = append(names, alts...)
			}
		}
		if err := ask(names); err != nil {
			return nil, err
		}
		todo = nil
		for _, alts := range deps {
			i := slices.IndexFunc(alts, func(a string) bool { _, ok := have[a]; return ok })
			if i >= 0 && !taken[alts[i]] {
				todo = append(todo, alts[i])
			}
		}
	}
	var out []Package
	for n := range taken {
		out = append(out, have[n])
	}
	slices.SortFunc(out, func(a, b Package) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out, nil
}
