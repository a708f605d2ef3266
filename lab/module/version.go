// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"path/filepath"
	"regexp"
)

var seriesPart = regexp.MustCompile(`^\d+\.\d+`)

// TreeVersion returns the version of a source tree of Xen, and its series: 4.20.4 and 4.20.
func TreeVersion(dir string) (version, series string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", err
	}
	if version, err = treeVersion(dir); err != nil {
		return "", "", fmt.Errorf("the given source of Xen: %w", err)
	}
	return version, seriesPart.FindString(version), nil
}
