// SPDX-License-Identifier: Apache-2.0

// Package api is what a master and its clients say to each other: messages, and
// the paths under which they are sent. They travel as JSON over HTTP, over a unix
// socket that root alone may use. Package dom0/client asks, package dom0/control
// answers.
//
//	POST /v1/reserve  a Reservation that is wanted → the Reservation
//	POST /v1/release  Ended: {"domain"} or {"reservation"} → the Reservation that was
//	POST /v1/try      [Reservation…] → Trial
//	GET  /v1/host     → Host; with ?domains also all domains
//	GET  /v1/describe ?domain=REFERENCE → Description
//	GET  /v1/calls    → Calls
//	GET  /v1/xapi     → XAPI
//	POST /v1/hook     a Hook that XAPI runs → an error, if it refuses a start
//	GET  /metrics     → what Prometheus reads (package dom0/metrics)
//
// A refusal is an HTTP error with a Failure, which says its kind: the client turns
// it into the error that it was.
package api

// The paths.
const (
	PathReserve = "/v1/reserve"
	PathRelease = "/v1/release"
	PathTry     = "/v1/try"
	PathHost    = "/v1/host"
	PathCalls   = "/v1/calls"
	PathCaches  = "/v1/caches"
	PathXAPI    = "/v1/xapi"
	PathHook    = "/v1/hook"
	// PathDescribe has its domain in the query's value QueryDomain; QueryDomains asks
	// PathHost for all domains.
	PathDescribe = "/v1/describe"
	QueryDomain  = "domain"
	QueryDomains = "domains"
)

// DefaultRunDir is the master's directory: its lock, its state, and its socket, which
// has the name SocketName. It is empty after a boot of the host, as are the host's
// reservations.
const (
	DefaultRunDir = "/run/vlibos"
	SocketName    = "control.sock"
)
