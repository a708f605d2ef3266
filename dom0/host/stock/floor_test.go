// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
)

// dom0Host is a Xen with a Dom0 of that many vCPUs, in a pool of that many CPUs.
type dom0Host struct {
	fakeHost
	vcpus, cpus int
	scheduler   xenctl.Scheduler
}

func (h *dom0Host) DomainInfo(uint16) (xenctl.DomainInfo, error) {
	return xenctl.DomainInfo{OnlineVCPUs: h.vcpus}, nil
}

func (h *dom0Host) Pool(uint32) (xenctl.Pool, error) {
	return xenctl.Pool{Scheduler: h.scheduler, CPUs: make([]int, h.cpus)}, nil
}

// On XCP-ng each vCPU of Dom0 is promised a CPU, up to half of the host.
func TestDom0KeepsItsShare(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		inventory   string
		scheduler   xenctl.Scheduler
		vcpus, cpus int
		budget      time.Duration // in ms of 20
	}{
		{file, xenctl.Credit, 4, 16, 5}, {file, xenctl.Credit, 16, 16, 10}, {file, xenctl.Credit, 1, 1, 10},
		{file, xenctl.Credit, 1, 64, 1}, {file, xenctl.Credit2, 16, 16, 1}, {file + "x", xenctl.Credit, 16, 16, 1},
	} {
		h := &dom0Host{vcpus: tt.vcpus, cpus: tt.cpus, scheduler: tt.scheduler}
		floor, err := findFloor(h, tt.inventory)
		if want := (rtsched.Task{Budget: tt.budget * ms, Period: floorPeriod}); err != nil || floor != want {
			t.Errorf("%+v: %v, %v", tt, floor, err)
		}
	}
}
