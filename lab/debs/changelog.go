// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

var (
	entryHead = regexp.MustCompile(`^\S+ \(([^)]+)\) `)
	advisory  = regexp.MustCompile(`\bXSA-\d+\b`)
)

// Advisories returns the Xen security advisories that a package's compressed changelog
// names for versions newer than a version, in its order. Those that it lists as not
// applying are left out.
func Advisories(ctx context.Context, file, version string) ([]string, error) {
	op := "read the changelog " + file
	f, err := os.Open(file)
	if err != nil {
		return nil, opError(op, err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, opError(op, err)
	}
	text, err := io.ReadAll(z)
	return advisories(string(text), func(v string) bool { return Older(ctx, version, v) }), opError(op, err)
}

// advisories reads the entries of a changelog, the newest first, as long as newer says so
// of their versions.
func advisories(changelog string, newer func(version string) bool) (found []string) {
	listed := false
	for line := range strings.Lines(changelog) {
		if head := entryHead.FindStringSubmatch(line); head != nil && !newer(head[1]) {
			break
		}
		if strings.HasPrefix(strings.TrimSpace(line), "* ") {
			listed = !strings.Contains(line, "not listed")
		}
		if !listed {
			continue
		}
		for _, a := range advisory.FindAllString(line, -1) {
			if !slices.Contains(found, a) {
				found = append(found, a)
			}
		}
	}
	return found
}
