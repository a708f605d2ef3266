// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
)

// Two domains in one class make one group of the library, and what is not set is left out.
func TestConfigurationHasEachClassOnce(t *testing.T) {
	l := cache.Layout{L3: &cache.Ways{Bits: 11}, Bandwidth: &cache.Bandwidth{}}
	wide, narrow := cache.Masks{L3Code: 0x7f, L3Data: 0x7f}, cache.Masks{L3Code: 0x80, L3Data: 0x700, Bandwidth: 20}
	var shares []memory.CacheShare
	for id, class := range map[string]string{"web": "wide", "db": "wide", "batch": "narrow"} {
		s := memory.CacheShare{Domain: host.Domain{ID: id}, Class: class, Masks: wide}
		if class == "narrow" {
			s.Masks = narrow
		}
		shares = append(shares, s)
	}
	c := config(l, shares)
	all := c.Partitions["all"]
	text, err := json.Marshal(all.Classes)
	if err != nil || len(c.Partitions) != 1 || len(all.Classes) != 2 || all.L2Allocation != nil {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, want := range []string{
		`"wide":{"l2Allocation":null,"l3Allocation":{"all":{"Unified":"0x7f","Code":"0x7f","Data":"0x7f"}},"mbAllocation":null`,
		`"narrow":{"l2Allocation":null,"l3Allocation":{"all":{"Unified":"0x80","Code":"0x80","Data":"0x700"}},"mbAllocation":{"all":["20%"]}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

// A master that opens its groups removes those of an earlier one, and no other's.
func TestOwnersHaveGroupsOfTheirOwn(t *testing.T) {
	owners := []string{"vlibos", "vlibos.wide", "vlibos-selftest-1f", "user.slice/vlibos"}
	for i, a := range owners {
		for j, b := range owners {
			if i < j && strings.HasPrefix(prefix(b)+"wide", prefix(a)) {
				t.Errorf("groups of %s are those of %s, too", b, a)
			}
		}
	}
	if p := prefix("vlibos"); p != "vlibos." {
		t.Errorf("the groups of vlibos begin with %s", p)
	}
}
