// SPDX-License-Identifier: Apache-2.0

// Package control is how commands talk to a running master: JSON over HTTP over
// a unix socket that root alone may use.
//
//	POST /v1/reserve  a reservation that is wanted (package api) → the reservation
//	POST /v1/release  {"domain"} or {"reservation"} → the reservation that was
//	POST /v1/try      [reservation…] → {"absent": [domain…], "cpus": [number…]}
//	GET  /v1/host     → {"host", "reservations": [status…], "called": […], "wedged": […], "throttle": {…}, "notes": […]}
//	GET  /v1/calls    → {"accounts": [account…], "health"}
//	GET  /metrics     → what Prometheus reads (package metrics)
//
// What is refused is an error object with a kind, which [Client] turns into the
// error it was.
package control

// DefaultSocket is the master's.
const DefaultSocket = "/run/vlibos/control.sock"
