// SPDX-License-Identifier: Apache-2.0

// Package psr gives domains of Xen their classes of cache and memory bandwidth,
// by Intel's platform shared resources (PSR), with or without this project's
// module. Xen allots the processor's classes of service to sets of values by
// itself and frees those of domains that end.
//
// What domains had before is kept in a file, written before anything changes,
// so that the next process can give it back when this one is killed. Until then
// the values stay.
package psr
