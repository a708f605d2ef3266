// SPDX-License-Identifier: Apache-2.0

package api

import "github.com/vlibos/vlibos/dom0/host"

// Caches is how a host's caches and memory bandwidth are shared out.
type Caches struct {
	// Layout is what can be shared out, in words; Problem is why it is nothing. Ways are
	// the parts of the third-level cache, and so the bits of its masks; 0: it is not shared
	// out.
	Layout  string `json:"layout,omitempty"`
	Ways    int    `json:"ways"`
	Problem string `json:"problem,omitempty"`
	// Capacity is the size in bytes of all third-level caches, 0 if it is not known.
	Capacity uint64 `json:"capacity_bytes"`
	// Unmonitored is why no domain's use is known; empty: it is.
	Unmonitored string       `json:"unmonitored,omitempty"`
	Classes     []CacheClass `json:"classes"`
	// Without are the domains that are in no class of the configuration.
	Without []CacheMember `json:"without"`
}

// CacheClass is a class and its domains.
type CacheClass struct {
	Name string `json:"name"`
	// L3Code and L3Data are equal where code and data are not split; 0: not set.
	L3Code    uint64 `json:"l3_code,omitempty"`
	L3Data    uint64 `json:"l3_data,omitempty"`
	L2        uint64 `json:"l2,omitempty"`  // 0: not set
	Bandwidth int    `json:"mba,omitempty"` // per cent left to the class; 0: not set
	// Least is the smallest number of ways of the third-level cache that it may have by
	// the policy; 0: its ways do not change.
	Least   int           `json:"least,omitempty"`
	Members []CacheMember `json:"members"`
}

// CacheMember is a domain and its use of caches; Use is nil if it is not known.
type CacheMember struct {
	ID   string         `json:"id"`
	UUID string         `json:"uuid"`
	Name string         `json:"name"`
	Use  *host.CacheUse `json:"use"`
}
