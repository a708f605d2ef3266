// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"fmt"

	"github.com/intel/goresctrl/pkg/rdt"

	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
)

// config is the library's configuration of these shares: one partition, which is the whole
// of each cache, with the classes in it. What a class does not set is the whole.
func config(l cache.Layout, shares []memory.CacheShare) *rdt.Config {
	var c rdt.Config
	all := c.Partitions[""]
	if l.L3 != nil {
		all.L3Allocation = rdt.CatConfig{rdt.CacheIdAll: {Unified: "100%"}}
	}
	if l.L2 != nil {
		all.L2Allocation = rdt.CatConfig{rdt.CacheIdAll: {Unified: "100%"}}
	}
	if l.Bandwidth != nil {
		all.MBAllocation = rdt.MbaConfig{rdt.CacheIdAll: {"100%"}}
	}
	for _, s := range shares {
		class := all.Classes[s.Class]
		if m := s.Masks; m.L3Code != 0 {
			class.L3Allocation = masks(m.L3Code, m.L3Data)
		}
		if m := s.Masks; m.L2 != 0 {
			class.L2Allocation = masks(m.L2, m.L2)
		}
		if s.Bandwidth != 0 {
			class.MBAllocation = rdt.MbaConfig{rdt.CacheIdAll: {rdt.MbProportion(fmt.Sprintf("%d%%", s.Bandwidth))}}
		}
		put(&all.Classes, s.Class, class)
	}
	put(&c.Partitions, "all", all)
	return &c
}

func masks(code, data uint64) rdt.CatConfig {
	hex := func(m uint64) rdt.CacheProportion { return rdt.CacheProportion(fmt.Sprintf("%#x", m)) }
	return rdt.CatConfig{rdt.CacheIdAll: {Unified: hex(code), Code: hex(code), Data: hex(data)}}
}

// put sets a value in a map, which may be nil. The types of the library's maps have no
// names.
func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[key] = v
}
