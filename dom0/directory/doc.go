// SPDX-License-Identifier: Apache-2.0

// Package directory is the master's view of the domains: which there are, which of
// them run a vLib OS server, and how a channel to one is opened. It finds a
// domain by what a person calls it (number, name or UUID) and hands out a
// transport.Dialer.
//
// There are two hosts: Xen, where a domain is a guest, and native, where
// it is a directory of sockets on a machine without Xen (package
// transport/native). On both, nothing is created or destroyed here: guests
// are xl's, server processes are whoever started them.
package directory
