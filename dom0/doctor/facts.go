// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"time"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Facts describe a host. Errors are texts for people.
type Facts struct {
	Host   string           `json:"host"` // of calls: "xen" or "native"
	Traces directory.Traces `json:"traces"`
	Root   bool             `json:"root"` // effective user 0
	// Realtime is the reason if this process may not have a real-time thread. The
	// keeper of budgets is one where the hypervisor keeps none.
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

// XenFacts describe Xen.
type XenFacts struct {
	Version      string   `json:"version,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
	Problem      string   `json:"error,omitempty"`         // why Xen could not be asked
	Control      string   `json:"control_error,omitempty"` // domctl and sysctl do not work
	Interfaces   string   `json:"interfaces,omitempty"`    // their versions, and the releases that have these
	Scheduler    string   `json:"scheduler,omitempty"`     // of Dom0's cpupool
	Weights      bool     `json:"weights"`                 // that scheduler's domains have weights
	Module       Module   `json:"module"`
}

// Module describes this project's module in Xen. It is zero if Xen could not be
// asked.
type Module struct {
	Present  bool   `json:"present"`
	Absent   bool   `json:"absent"`           // Xen does not know the hypercall
	Problem  string `json:"error,omitempty"`  // why the module cannot be used
	Denied   bool   `json:"denied,omitempty"` // the problem is this user's permission
	Revision uint32 `json:"revision,omitempty"`
	Version  uint32 `json:"version,omitempty"` // of the interface
	CPUs     int    `json:"cpus"`              // under its scheduler
	Host     bool   `json:"host"`              // Dom0 runs on them
	Counters string `json:"counters,omitempty"`

	Reservations int           `json:"reservations"`
	Lease        time.Duration `json:"lease_ns"` // left; 0: none runs
	LeasesLost   uint64        `json:"leases_lost"`
	Late         time.Duration `json:"late_ns"`            // the lateness that admission allows for
	Overruns     []Overrun     `json:"overruns,omitempty"` // beyond Late
}

// Overrun is the latest end of a budget on a CPU.
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

// Domain is a domain and the ports of the servers in it. Left are those on which a
// server that has ended left its socket.
type Domain struct {
	ID    string           `json:"id"`
	Name  string           `json:"name,omitempty"`
	UUID  string           `json:"uuid,omitempty"`
	Ports []transport.Port `json:"ports"`
	Left  []transport.Port `json:"left,omitempty"`
}

// NativeFacts describe the directory of native domains.
type NativeFacts struct {
	Dir     string   `json:"dir"`
	Exists  bool     `json:"exists"`
	Usable  bool     `json:"usable"` // readable by this process
	Domains []Domain `json:"domains"`
}
