// SPDX-License-Identifier: Apache-2.0

// Package control is how commands talk to a running master: JSON over HTTP over
// a unix socket that root alone may use.
//
//	POST /v1/adopt    {"domain", "budget_ns", "period_ns"} → the adoption
//	POST /v1/release  {"domain"} → the adoption that was
//	POST /v1/try      {"wishes": [{"domain", "budget_ns", "period_ns"}…]} → {"absent": [domain…], "cpus": [number…]}
//	POST /v1/reserve  {"pid", "tid", "start", "name", "budget_ns", "period_ns", "calls": [domain…]} → the reservation
//	POST /v1/unreserve {"reservation"} → the reservation that was
//	GET  /v1/domains  → {"host", "adopted": [status…], "threads": [status…], "paid": [status…], "called": […], "wedged": […], "throttle": {…}}
//	GET  /v1/calls    → {"accounts": [account…], "health"}
//	GET  /metrics     → what Prometheus reads (package metrics)
//
// What is refused is an error object with a kind, which [Client] turns into the
// error it was.
package control

// DefaultSocket is the master's.
const DefaultSocket = "/run/vlibos/control.sock"
