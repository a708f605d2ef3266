// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle/cache"
)

// Cache describes the parts of caches and memory bandwidth that classes can have, and whether
// what domains use of them is counted.
type Cache struct {
	Layout  string `json:"layout,omitempty"`
	None    bool   `json:"none,omitempty"`  // the host has none
	Problem string `json:"error,omitempty"` // why there is no layout

	MonitoringIDs int    `json:"monitoring_ids,omitempty"` // by which use is counted; 0: it is not
	Unmonitored   string `json:"unmonitored,omitempty"`    // why it is not
}

const (
	remedyCache      = "only the tables [[cache]] of the configuration need it"
	remedyMonitoring = "only the figures of caches in ps, top and metrics, and the key l3_least, need it"
)

func cacheFacts(l cache.Layout, err error) Cache {
	if err != nil {
		return Cache{None: errors.Is(err, host.ErrNotHere), Problem: err.Error()}
	}
	return Cache{Layout: l.String()}
}

// monitored adds what is known of the counting.
func (c Cache) monitored(ids int, err error) Cache {
	if c.MonitoringIDs = ids; err != nil {
		c.MonitoringIDs, c.Unmonitored = 0, err.Error()
	}
	return c
}

// findings is silent if the host could not be asked, which another finding reports.
func (c Cache) findings() (list []Finding) {
	switch {
	case c.None:
		list = append(list, Finding{Note, "cache", c.Problem, remedyCache})
	case c.Problem != "":
		list = append(list, Finding{Note, "cache", c.Problem, remedyRoot})
	case c.Layout != "":
		list = append(list, Finding{OK, "cache", "classes can be made of " + c.Layout, ""})
	}
	switch {
	case c.Unmonitored != "":
		list = append(list, Finding{Note, "monitoring", c.Unmonitored, remedyMonitoring})
	case c.MonitoringIDs > 0:
		list = append(list, Finding{OK, "monitoring", fmt.Sprintf("what domains fill of the caches, and move, is counted by %d monitoring IDs", c.MonitoringIDs), ""})
	}
	return list
}
