// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// docs/reference/channel.md has the offset of each field of the header, and each
// status with its number.
func TestReferenceOfTheChannelIsItsLayout(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/channel.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^\| (0x[0-9a-f]{3}) \| \d+ \|`).FindAllSubmatch(page, -1) {
		listed[string(m[1])] = true
	}
	there := make(map[string]bool)
	var walk func(at reflect.Type, base uintptr)
	walk = func(at reflect.Type, base uintptr) {
		for f := range at.Fields() {
			switch offset := base + f.Offset; {
			case f.Name == "_":
			case f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == at.PkgPath():
				walk(f.Type, offset)
			default:
				there[fmt.Sprintf("0x%03x", offset)] = true
			}
		}
	}
	walk(reflect.TypeFor[transport.Header](), 0)
	if !maps.Equal(listed, there) {
		t.Errorf("offsets: the page has %v, the header %v", slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(there)))
	}

	statuses := []string{
		StatusOK: "OK", StatusFailed: "FAILED", StatusNoLibrary: "NO_LIBRARY", StatusNoFunction: "NO_FUNCTION", StatusSignature: "SIGNATURE",
		StatusCrashed: "CRASHED", StatusCancelled: "CANCELLED", StatusTooLarge: "TOO_LARGE", StatusBadRequest: "BAD_REQUEST",
		StatusDenied: "DENIED", StatusTimeout: "TIMEOUT", StatusGone: "GONE", StatusUnpaid: "UNPAID",
	}
	if len(statuses) != len(statusErrors) {
		t.Fatalf("%d statuses have names, of %d", len(statuses), len(statusErrors))
	}
	var rows, want []string
	for _, m := range regexp.MustCompile(`(?m)^\| \d+ \| [A-Z_]+ \|`).FindAll(page, -1) {
		rows = append(rows, string(m))
	}
	for status, name := range statuses {
		want = append(want, fmt.Sprintf("| %d | %s |", status, name))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("statuses: the page has %q, want %q", rows, want)
	}
}
