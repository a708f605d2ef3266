// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"

	"github.com/vlibos/vlibos/throttle/cache"
)

// CacheUse is what a domain has in the third-level caches, and what it moves between them
// and memory.
type CacheUse struct {
	Occupied uint64 `json:"occupied_bytes"`
	// Moved is since the master began to monitor the domain.
	Moved uint64 `json:"moved_bytes"`
	// Rate is in bytes a second, over the last seconds; 0 at first.
	Rate float64 `json:"moved_bytes_per_second"`
	// Problem is why nothing of this is known; empty: it is.
	Problem string `json:"problem,omitempty"`
}

// Filled is Occupied for people; a dash: not known.
func (u *CacheUse) Filled() string {
	if u == nil || u.Problem != "" {
		return "-"
	}
	return bytes(float64(u.Occupied))
}

// PerSecond is Rate for people; a dash: not known.
func (u *CacheUse) PerSecond() string {
	if u == nil || u.Problem != "" {
		return "-"
	}
	return bytes(u.Rate)
}

// bytes has three digits or four.
func bytes(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; n >= 1000 && i < len(units)-1; i++ {
		n /= 1024
	}
	if i == 0 || n >= 100 {
		return fmt.Sprintf("%.0f %s", n, units[i])
	}
	return fmt.Sprintf("%.1f %s", n, units[i])
}

// Caches is how a host's caches and memory bandwidth are shared out.
type Caches struct {
	// Layout is what can be shared out; Problem is why it is nothing.
	Layout  cache.Layout `json:"layout"`
	Problem string       `json:"problem,omitempty"`
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
	cache.Masks
	// Least is the smallest number of ways of the third-level cache that it may have by
	// the policy; 0: its ways do not change.
	Least   int           `json:"least,omitempty"`
	Members []CacheMember `json:"members"`
}

// CacheMember is a domain and its use of caches; Use is nil if it is not known.
type CacheMember struct {
	ID   string    `json:"id"`
	UUID string    `json:"uuid"`
	Name string    `json:"name"`
	Use  *CacheUse `json:"use"`
}
