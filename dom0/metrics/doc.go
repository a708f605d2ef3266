// SPDX-License-Identifier: Apache-2.0

// Package metrics shows Prometheus what a master knows: reservations and what
// was used of them, what calls cost, and how the master itself fares. All is
// read when it is asked for. docs/reference/metrics.md lists every metric.
//
// How many series there can be is bounded: by the reservations of a host, and
// by the callers and functions that package receipt tells apart.
package metrics
