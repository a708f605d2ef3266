// SPDX-License-Identifier: Apache-2.0

package image

import "fmt"

// Series returns the series of a release's Xen, for example "4.17".
func Series(release string) (string, error) {
	xen, ok := series[release]
	if !ok {
		return "", fmt.Errorf("no release %q: want one of %q", release, Releases())
	}
	return xen, nil
}

// ReleaseOf returns the release with a series of Xen, or "" if there is none.
func ReleaseOf(xen string) string {
	for release, s := range series {
		if s == xen {
			return release
		}
	}
	return ""
}
