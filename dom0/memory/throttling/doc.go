// SPDX-License-Identifier: Apache-2.0

// Package throttling is the master's control loop: in each period it reads a
// source of memory latency, lets a controller decide, and has the host carry
// that out. It opens everything when it ends, when the source is not healthy,
// and when it is stuck itself; a host opens by itself when the master is dead.
package throttling
