// SPDX-License-Identifier: Apache-2.0

// Package config reads the master's configuration, a TOML file:
//
//	platform = "auto"     # or xen, native
//
//	[[adopt]]
//	domain = "web"        # name or UUID
//	budget = "10ms"
//	period = "100ms"
//
//	[metrics]
//	listen = "127.0.0.1:9477"  # for Prometheus; without: only the control socket
//
// What is unknown or impossible is refused with file and line.
package config

// DefaultFile is read if it is there and no other is named.
const DefaultFile = "/etc/vlibos/vlibmaster.toml"
