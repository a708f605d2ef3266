// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"os"
	"time"

	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
)

// inventory is a file that XCP-ng and XenServer have in Dom0.
const inventory = "/etc/xensource-inventory"

// floorPeriod is the period of Dom0's reservation.
const floorPeriod = 20 * time.Millisecond

// findFloor is Dom0's reservation on each CPU. It is what weights leave to Dom0,
// except under credit on XCP-ng and XenServer: their hypervisor gives each vCPU
// of Dom0 the credit of a whole CPU, up to half of the host's.
func findFloor(x hypervisor, inventory string) (rtsched.Task, error) {
	least := rtsched.Task{Budget: floorPeriod / 20, Period: floorPeriod}
	if _, err := os.Stat(inventory); err != nil {
		return least, nil
	}
	dom0, err := x.DomainInfo(0)
	if err != nil {
		return least, err
	}
	pool, err := x.Pool(dom0.CPUPool)
	if err != nil || pool.Scheduler != xenctl.Credit || len(pool.CPUs) == 0 {
		return least, err
	}
	cpus := time.Duration(len(pool.CPUs))
	half := min(2*time.Duration(dom0.OnlineVCPUs), cpus) * floorPeriod / (2 * cpus)
	return rtsched.Task{Budget: max(half, least.Budget), Period: floorPeriod}, nil
}
