// SPDX-License-Identifier: Apache-2.0

package host

import "fmt"

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
	return Bytes(float64(u.Occupied))
}

// PerSecond is Rate for people; a dash: not known.
func (u *CacheUse) PerSecond() string {
	if u == nil || u.Problem != "" {
		return "-"
	}
	return Bytes(u.Rate)
}

// Bytes is a number of bytes for people, with three digits or four.
func Bytes(n float64) string {
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
