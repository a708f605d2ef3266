// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle/cache"
)

// Cache describes the parts of caches and memory bandwidth that classes can have.
type Cache struct {
	Layout  string `json:"layout,omitempty"`
	None    bool   `json:"none,omitempty"`  // the host has none
	Problem string `json:"error,omitempty"` // why there is no layout
}

const remedyCache = "only the tables [[cache]] of the configuration need it"

func cacheFacts(l cache.Layout, err error) Cache {
	if err != nil {
		return Cache{None: errors.Is(err, host.ErrNotHere), Problem: err.Error()}
	}
	return Cache{Layout: l.String()}
}

// findings is silent if the host could not be asked, which another finding reports.
func (c Cache) findings() []Finding {
	switch {
	case c.None:
		return []Finding{{Note, "cache", c.Problem, remedyCache}}
	case c.Problem != "":
		return []Finding{{Note, "cache", c.Problem, remedyRoot}}
	case c.Layout == "":
		return nil
	}
	return []Finding{{OK, "cache", "classes can be made of " + c.Layout, ""}}
}
