// SPDX-License-Identifier: Apache-2.0

// Package directory finds domains: which ones exist, which of them run a vLib OS
// server, and how a channel to one is opened. It finds a domain by a number, a name
// or a UUID, as people write them, and returns a transport.Dialer.
//
// There are two hosts: Xen, where a domain is a guest, and native, where it is a
// directory of sockets on a machine without Xen. Users other than root find what
// the master lets them call. The package creates and destroys nothing: guests are
// the toolstack's, and servers are started by their users.
package directory
