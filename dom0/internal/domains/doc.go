// SPDX-License-Identifier: Apache-2.0

// Package domains lists the domains of a Xen host, with the toolstack's names,
// for the hosts on Xen.
package domains
