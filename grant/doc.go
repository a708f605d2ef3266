// SPDX-License-Identifier: Apache-2.0

// Package grant shares memory between Xen domains from user space: [Allocator]
// (/dev/xen/gntalloc) allocates pages and grants them to another domain, [Mapper]
// (/dev/xen/gntdev) maps or copies pages that others have granted. In this
// project a guest allocates and Dom0 maps, so that a guest can never pin Dom0's
// memory.
//
// The other side may write to shared pages at any moment. Load a value once,
// copy, check, then use it. This package returns the bytes and does not check
// their contents.
//
// # Lifetime
//
// [Mapping.Unmap] and [Pages.Free] take the memory away: a later access through
// a slice obtained from Bytes is a fault that ends the program. The caller must
// know that the last user has finished; this package cannot.
//
// The granter cannot end a mapping. Xen keeps a granted page for as long as it is
// mapped: when the granting domain revokes the grant, frees the pages or is
// destroyed, the mapper can still access the same page, without a signal or an
// error. A destroyed domain stays as a zombie until the last of its pages is
// unmapped. Meanwhile Copy returns [StatusBadDomain], but Map may still succeed
// (seen on Xen 4.17). So the byte and the event of [Notify], the peer's xenstore
// nodes, or a timeout show that a peer is dead; the memory itself never does.
// The mapping side must unmap soon after.
//
// This package is not for event channels (package evtchn) or DMA buffers.
package grant
