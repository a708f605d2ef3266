// SPDX-License-Identifier: Apache-2.0

// Package metrics shows Prometheus what a master knows: reservations and their
// use, the cost of calls, and the state of the master itself. All is read when it
// is scraped. docs/reference/metrics.md lists every metric.
//
// How many series there can be is bounded: by the reservations of a host, and
// by the callers and functions that package receipt tells apart.
package metrics
