// SPDX-License-Identifier: Apache-2.0

// Package xen carries vlibcall channels between Dom0 and a guest: granted
// pages for the memory, an event channel for the events, xenstore to agree
// on both. Domain is Dom0's side, Listener the guest's.
//
// The guest allocates and grants, Dom0 maps: so a guest cannot pin Dom0's
// memory, and the memory is charged to the domain that serves. The handshake
// is specified in docs/reference/channel.md; it lives below data/vlibos in the guest's
// home, which a guest may write on every toolstack.
//
// It is for Dom0 and unprivileged guests on one host. It is not for calls
// between two guests: neither of them could trust the other's channel.
package xen
