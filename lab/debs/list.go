// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"context"
	"os"
	"strings"
)

// List is a package list that apt has fetched.
type List struct {
	URI, Suite, Component string // of the archive
	Path                  string // the file
}

// Lists returns the lists of binary packages that have been fetched, of each source.
func (a *Apt) Lists(ctx context.Context) (lists []List, err error) {
	out, err := a.command(ctx, "", "apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT) $(FILENAME)", "Created-By: Packages")
	if err != nil {
		return nil, opError("list the package lists", err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 4 {
			if _, err := os.Stat(f[3]); err == nil {
				lists = append(lists, List{f[0], f[1], f[2], f[3]})
			}
		}
	}
	return lists, nil
}
