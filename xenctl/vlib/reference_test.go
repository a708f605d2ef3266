// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/reference/hypercall.md has each sub-operation and flag of the header with
// its number.
func TestReferenceOfTheHypercallIsItsHeader(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page, header := read("../../docs/reference/hypercall.md"), read("../../hypervisor/xen/include/public/vlib.h")
	for _, table := range []struct{ name, row, define string }{
		{"sub-operations", `(?m)^\| (?P<number>\d+) \| (?P<name>[a-z_]+) \|`, `(?m)^#define VLIB_OP_(?P<name>\w+) +(?P<number>\d+)`},
		{"flags of a domain", `(?m)^\| (?P<name>[A-Z_]+) \| (?P<number>\d+) \|`, `(?m)^#define VLIB_DOMAIN_(?P<name>\w+) +\(1U << (?P<number>\d+)\)`},
	} {
		listed, defined := numbers(table.row, page), numbers(table.define, header)
		if len(defined) == 0 || !maps.Equal(listed, defined) {
			t.Errorf("%s: the page has %v, the header %v", table.name, listed, defined)
		}
	}
}

// numbers are what a text has of the groups name and number of an expression.
func numbers(expression, text string) map[string]string {
	re := regexp.MustCompile(expression)
	all := make(map[string]string)
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		all[strings.ToLower(m[re.SubexpIndex("name")])] = m[re.SubexpIndex("number")]
	}
	return all
}
