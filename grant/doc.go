// SPDX-License-Identifier: Apache-2.0

// Package grant shares memory between Xen domains from user space: [Allocator]
// (/dev/xen/gntalloc) makes pages and grants them to another domain, [Mapper]
// (/dev/xen/gntdev) maps or copies pages that others have granted. In this
// project a guest allocates and Dom0 maps, so that a guest can never pin Dom0's
// memory.
//
// What lies in shared pages is written by the other side at any moment. Load a
// value once, copy, check, then use; this package hands out the bytes and
// checks nothing in them.
//
// # Lifetime
//
// [Mapping.Unmap] and [Pages.Free] take the memory away: a later access through
// a slice obtained from Bytes is a fault that ends the program. Who calls them
// must know that the last user has left; this package cannot.
//
// A mapping outlives the granter's wish to end it. Xen keeps a granted page for
// as long as it is mapped: when the granting domain revokes the grant, frees
// the pages or is destroyed, the mapper's accesses go on working on the same
// page, with no signal and no error, and a destroyed domain stays as a zombie
// until the last of its pages is unmapped. Meanwhile Copy answers
// [StatusBadDomain], but Map may still succeed (seen on Xen 4.17). So a dead
// peer is noticed by the byte and the event of [Notify], by its xenstore nodes,
// or by a timeout, never by the memory itself; and whoever maps must unmap soon
// after.
//
// It is not for event channels (package evtchn), and not for DMA buffers.
package grant
