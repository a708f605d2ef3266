// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"slices"
	"testing"
)

const changelog = `xen (4.17.7+13-1) bookworm-security; urgency=medium

  * Update to a new upstream version with security fixes:
     - a leak
       XSA-509 CVE-2026-1
     - two more
       XSA-510 CVE-2026-2 XSA-511
   * Note that the following XSA are not listed, because...
     - XSA-513 applies to blktap which is not included in Debian

 -- A <a@b.c>  Wed, 04 Nov 2026 17:52:28 +0100

xen (4.17.7-0) bookworm-security; urgency=medium

  * XSA-477 again, and XSA-510

xen (4.17.5-1) bookworm; urgency=medium

  * XSA-400
`

func TestAdvisoriesAreThoseOfNewerVersions(t *testing.T) {
	for version, want := range map[string][]string{
		"4.17.7+13-1": nil,
		"4.17.7-0":    {"XSA-509", "XSA-510", "XSA-511"},
		"4.17.5-1":    {"XSA-509", "XSA-510", "XSA-511", "XSA-477"},
	} {
		if got := advisories(changelog, func(v string) bool { return Older(t.Context(), version, v) }); !slices.Equal(got, want) {
			t.Errorf("newer than %s: %q, want %q", version, got, want)
		}
	}
}
