// SPDX-License-Identifier: Apache-2.0

// Package psr gives domains of Xen their classes of cache and memory bandwidth
// through Intel's platform shared resources (PSR). It needs no module in Xen. Xen
// itself assigns the processor's classes of service to sets of masks, and frees
// those of domains that end.
//
// The settings that domains had before are recorded in a file before anything
// changes, so that a later process can restore them when this one is killed.
package psr
