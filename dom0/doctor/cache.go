// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory/psr"
	"github.com/vlibos/vlibos/dom0/memory/resctrl"
	"github.com/vlibos/vlibos/throttle/cache"
	"github.com/vlibos/vlibos/xenctl"
)

// Cache is what there is to share of caches and memory bandwidth.
type Cache struct {
	Layout  string `json:"layout,omitempty"`
	None    bool   `json:"none,omitempty"`  // the host says so
	Problem string `json:"error,omitempty"` // why there is no layout
}

const remedyCache = "nothing but the tables [[cache]] of the configuration needs it"

func askCache(h *xenctl.Handle) Cache {
	l, _, err := psr.Layout(h)
	return cacheOf(l, err)
}

func lookAtCache(root string) Cache { return cacheOf(resctrl.Layout(root)) }

func cacheOf(l cache.Layout, err error) Cache {
	if err != nil {
		return Cache{None: errors.Is(err, host.ErrNotHere), Problem: err.Error()}
	}
	return Cache{Layout: l.String()}
}

// findings says nothing where nobody could be asked: something else said it.
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
