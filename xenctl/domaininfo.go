// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"fmt"
	"time"
)

// DomainInfo is Xen's record of one domain at one moment (struct
// xen_domctl_getdomaininfo).
type DomainInfo struct {
	ID uint16

	Dying    bool // being destroyed; exists until its last page is freed
	HVM      bool // HVM or PVH, not PV
	Shutdown bool // the guest has stopped itself: see ShutdownReason
	Paused   bool // by control software, see Pause
	Blocked  bool // every vCPU waits for an event
	Running  bool // at least one vCPU is on a CPU
	Debugged bool
	Xenstore bool // runs xenstore for the others
	HAP      bool // uses hardware-assisted paging

	ShutdownReason ShutdownReason // meaningful when Shutdown

	// Memory in pages of 4 KiB.
	TotalPages       uint64
	MaxPages         uint64
	OutstandingPages uint64
	SharedPages      uint64
	PagedPages       uint64

	CPUTime     time.Duration // of all vCPUs since the domain was created
	OnlineVCPUs int
	MaxVCPUID   int // highest vCPU number; -1 when the domain has none
	UUID        [16]byte
	CPUPool     uint32
}

// ShutdownReason is why a guest stopped itself: SHUTDOWN_* of <xen/sched.h>.
type ShutdownReason uint8

// The reasons that guests report.
const (
	ShutdownPoweroff  ShutdownReason = 0
	ShutdownReboot    ShutdownReason = 1
	ShutdownSuspend   ShutdownReason = 2
	ShutdownCrash     ShutdownReason = 3
	ShutdownWatchdog  ShutdownReason = 4
	ShutdownSoftReset ShutdownReason = 5
)

var shutdownText = [...]string{"poweroff", "reboot", "suspend", "crash", "watchdog", "soft reset"}

func (r ShutdownReason) String() string {
	if int(r) < len(shutdownText) {
		return shutdownText[r]
	}
	return fmt.Sprintf("shutdown reason %d", uint8(r))
}

func (i *getDomainInfo) public() DomainInfo {
	return DomainInfo{
		ID:               i.domain,
		Dying:            i.flags&infoDying != 0,
		HVM:              i.flags&infoHVM != 0,
		Shutdown:         i.flags&infoShutdown != 0,
		Paused:           i.flags&infoPaused != 0,
		Blocked:          i.flags&infoBlocked != 0,
		Running:          i.flags&infoRunning != 0,
		Debugged:         i.flags&infoDebugged != 0,
		Xenstore:         i.flags&infoXenstore != 0,
		HAP:              i.flags&infoHAP != 0,
		ShutdownReason:   ShutdownReason(i.flags >> infoShutdownShift & infoShutdownMask),
		TotalPages:       i.totalPages,
		MaxPages:         i.maxPages,
		OutstandingPages: i.outstandingPages,
		SharedPages:      i.sharedPages,
		PagedPages:       i.pagedPages,
		CPUTime:          time.Duration(i.cpuTime),
		OnlineVCPUs:      int(i.onlineVCPUs),
		// XEN_INVALID_MAX_VCPU_ID is all ones.
		MaxVCPUID: int(int32(i.maxVCPUID)),
		UUID:      i.handle,
		CPUPool:   i.cpupool,
	}
}
