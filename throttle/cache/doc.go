// SPDX-License-Identifier: Apache-2.0

// Package cache computes, for the classes of service of a configuration, their
// parts of a processor's shared caches and of the memory bandwidth: it turns
// percentages and a layout into masks. Programs that set the masks, on Xen or
// on Linux, use it; it touches no system.
//
// A mask has contiguous bits, as processors require. If the percentages of all
// classes add up to at most 100 and the cache has enough bits, classes have
// separate parts. Otherwise parts overlap as little as possible, and the plan
// says so. Domains without a class may fill all of a cache.
package cache
