// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

func TestCachesAreShownAsAPicture(t *testing.T) {
	var b strings.Builder
	err := printCaches(&b, api.Caches{
		Layout: "L3: 12 parts, 14 classes; L2: none; memory bandwidth: steps of 10 %, 14 classes", Ways: 12,
		Capacity: 3 << 20,
		Classes: []api.CacheClass{
			{Name: "wide", L3Code: 0x7f, L3Data: 0x7f, Bandwidth: 50, Members: []api.CacheMember{
				{ID: "1", Name: "web", Use: &host.CacheUse{Occupied: 1 << 20, Rate: 2048}},
				{ID: "2", Name: "db", Use: &host.CacheUse{Problem: "all of the processor's 4 monitoring IDs are in use"}},
			}},
			{Name: "split", L3Code: 0xf00, L3Data: 0x080},
		},
		Without: []api.CacheMember{{ID: "0", Name: "Domain-0"}},
	})
	want := `shared out: L3: 12 parts, 14 classes; L2: none; memory bandwidth: steps of 10 %, 14 classes
monitored: 3.0 MiB of third-level caches

CLASS   L3                                    L2  MBA   DOMAIN  NAME      FILLS    MOVES/S
wide    .....#######                          -   50 %  1       web       1.0 MiB  2.0 KiB
                                                        2       db        -        - (all of the processor's 4 monitoring IDs are in use)
split   code ####........, data ....#.......  -   -     -
(none)                                                  0       Domain-0  -        -
`
	if got := b.String(); err != nil || trimmed(got) != trimmed(want) {
		t.Errorf("%v\n%s", err, got)
	}
}

// trimmed has no spaces at the ends of lines.
func trimmed(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}
