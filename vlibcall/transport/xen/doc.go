// SPDX-License-Identifier: Apache-2.0

// Package xen carries vlibcall channels between Dom0 and a guest: granted pages
// for the memory, an event channel for the events, and xenstore to agree on
// both. Domain is Dom0's side, Listener the guest's.
//
// The guest allocates and grants, Dom0 maps. So a guest cannot pin Dom0's
// memory, and the memory is charged to the domain that serves.
// docs/reference/channel.md specifies the handshake. It takes place below
// data/vlibos in the guest's home, where a guest may write under every
// toolstack.
//
// It is for Dom0 and unprivileged guests on one host. It is not for calls
// between two guests: neither could trust the other's channel.
package xen
