// SPDX-License-Identifier: Apache-2.0

// Package cache decides which parts of the shared caches, and how much of the
// memory bandwidth, the classes of service of a configuration become on a
// processor: percentages and a layout in, masks out. It is for whoever carries
// that out, on Xen or on Linux, and touches no system.
//
// Masks are of adjoining bits, as processors want them. Where the percentages
// of all classes add up to 100 or less, and the cache has bits enough, classes
// have parts of their own; else parts overlap, as little as side by side
// allows, and the plan says so. Domains without a class may fill all of a cache.
package cache
