// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"time"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Facts are what was found. Errors are texts, for people.
type Facts struct {
	Host   string           `json:"host"` // that calls use: "xen" or "native"
	Traces directory.Traces `json:"traces"`
	Root   bool             `json:"root"` // effective user 0
	// Realtime is why a process of this user and cgroup may have no real-time
	// thread, which is what keeps budgets where the hypervisor does not.
	Realtime string `json:"realtime_error,omitempty"`

	Xen      XenFacts    `json:"xen"`
	Devices  []Device    `json:"devices"`
	Xenstore string      `json:"xenstore_error,omitempty"`
	Domains  []Domain    `json:"domains"`                 // of the host
	Problem  string      `json:"domains_error,omitempty"` // why there is no list
	Native   NativeFacts `json:"native"`
	Cache    Cache       `json:"cache"` // of the host
	Master   Master      `json:"master"`
}

// XenFacts are what Xen says of itself.
type XenFacts struct {
	Version      string   `json:"version,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
	Problem      string   `json:"error,omitempty"`         // it could not be asked
	Control      string   `json:"control_error,omitempty"` // domctl and sysctl do not work
	Module       Module   `json:"module"`
}

// Module is what the hypervisor's own module says of itself; zero if the
// hypervisor could not be asked.
type Module struct {
	Present  bool   `json:"present"`
	Absent   bool   `json:"absent"`           // the hypervisor says so
	Problem  string `json:"error,omitempty"`  // it is there, or may be, and does not serve
	Denied   bool   `json:"denied,omitempty"` // of a problem: it is this user's
	Revision uint32 `json:"revision,omitempty"`
	Version  uint32 `json:"version,omitempty"` // of the interface
	CPUs     int    `json:"cpus"`              // that its scheduler drives
	Host     bool   `json:"host"`              // Dom0 is on them
	Counters string `json:"counters,omitempty"`

	Reservations int           `json:"reservations"`
	Lease        time.Duration `json:"lease_ns"` // left; 0: none runs
	LeasesLost   uint64        `json:"leases_lost"`
	Late         time.Duration `json:"late_ns"`            // by how much admission lets budgets end late
	Overruns     []Overrun     `json:"overruns,omitempty"` // that were later
}

// Overrun is by how much a budget ended late on a CPU, at worst.
type Overrun struct {
	CPU int           `json:"cpu"`
	By  time.Duration `json:"by_ns"`
}

// Device is a device node that calls need.
type Device struct {
	Path   string `json:"path"`
	Module string `json:"module"`
	Exists bool   `json:"exists"`
	Usable bool   `json:"usable"` // by this process
}

// Domain is a domain, and where servers were announced in it.
type Domain struct {
	ID    string           `json:"id"`
	Name  string           `json:"name,omitempty"`
	UUID  string           `json:"uuid,omitempty"`
	Ports []transport.Port `json:"ports"`
}

// NativeFacts are about the directory of native domains.
type NativeFacts struct {
	Dir     string   `json:"dir"`
	Exists  bool     `json:"exists"`
	Usable  bool     `json:"usable"` // this process may look into it
	Domains []Domain `json:"domains"`
}
