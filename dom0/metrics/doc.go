// SPDX-License-Identifier: Apache-2.0

// Package metrics shows Prometheus the state of a master: reservations and
// their use, the costs of calls, and the master itself. Everything is read when
// it is scraped. docs/reference/metrics.md lists every metric.
//
// The number of series is limited by the reservations of a host, and by the
// callers and functions that package receipt distinguishes.
package metrics
