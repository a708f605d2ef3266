// SPDX-License-Identifier: Apache-2.0

// Package config reads the master's configuration, a TOML file:
//
//	host = "auto"     # or module, stock, native
//
//	[[adopt]]
//	domain = "web"        # name or UUID
//	budget = "10ms"
//	period = "100ms"
//
//	[metrics]
//	listen = "127.0.0.1:9477"  # for Prometheus; without: only the control socket
//
//	[[allow]]             # a user that may call by the master's sockets
//	user = "alice"        # or group = "analysts", or numbers
//	domain = "web"
//	library = "libz.so.1" # "*" for all
//	function = ["crc32", "adler32"]
//	timeout = "2s"
//	budget = "2ms"        # with period: what pays for the calls
//	period = "20ms"
//
//	[[domain]]            # what to do when the vLib OS of a domain hangs
//	name = "web"
//	on_wedge = "restart"
//	restart = ["xl", "reboot", "-F", "web"]
//
//	[throttle]            # without it, nothing is throttled
//	source = "probe"      # or auto, uncore, requests, model
//	probe_cpu = 0
//	policy = "threshold"  # or feedback, rate, none
//	threshold_ns = 180
//
// Unknown keys and impossible values are refused with file and line.
package config

// DefaultFile is read if it is there and no other is named.
const DefaultFile = "/etc/vlibos/vlibmaster.toml"
