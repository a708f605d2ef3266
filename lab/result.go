// SPDX-License-Identifier: Apache-2.0

package lab

import "time"

// Result is a run whose command has ended.
type Result struct {
	// Status is the command's exit status: 128 + n for signal n, 127 if the command
	// does not exist in Dom0, 126 if it cannot be executed.
	Status int
	// Resumed says that a saved machine was resumed, not booted.
	Resumed bool
	// Boot is the time from power-on, or from the start of resuming, until the command
	// ran. Total is the time until its end. Both are times of this machine, not of
	// Xen.
	Boot, Total time.Duration
	Versions    Versions
	// Logs are the DomUs' consoles, if Config.Logs requested them.
	Logs []Log
}

// Versions are those of what ran.
type Versions struct {
	Xen  string `json:"xen"`
	Dom0 string `json:"dom0_kernel"`
	QEMU string `json:"qemu"`
	// Base is the key of the base images, which names all packages in them.
	Base string `json:"base_images"`
}
