// SPDX-License-Identifier: Apache-2.0

package api

// XAPI is what a master knows of XAPI.
type XAPI struct {
	Followed bool   `json:"followed"`          // the host has XAPI, and the configuration allows it
	Address  string `json:"address,omitempty"` // its socket, or its address
	Known    bool   `json:"known"`             // it has answered
	Problem  string `json:"problem,omitempty"` // why it does not answer now
	VMs      int    `json:"vms"`               // of the pool, without templates and snapshots
	// Asked are the VMs of the pool that ask for something, by UUID.
	Asked []AskingVM `json:"asked"`
}

// AskingVM is a VM with entries of this project in other_config.
type AskingVM struct {
	UUID  string   `json:"uuid"`
	Name  string   `json:"name"`
	Power string   `json:"power"` // Running, Halted, Paused or Suspended
	Here  bool     `json:"here"`  // on this host
	Domid int      `json:"domid"` // on the host where it is; negative: none
	Tags  []string `json:"tags,omitempty"`
	// Asked are the entries without the prefix vlibos:, and without the status.
	Asked map[string]string `json:"asked"`
	// Status is what the master answers: of a VM elsewhere, what that host's master
	// has written.
	Status string `json:"status"`
}

// Hook is a hook that XAPI runs for a VM.
type Hook struct {
	Hook string `json:"hook"` // HookStart, for example
	UUID string `json:"uuid"`
}

// HookStart is the hook that can refuse a VM's start.
const HookStart = "vm-pre-start"
