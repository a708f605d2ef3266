// SPDX-License-Identifier: Apache-2.0

// Package scale measures what many idle domains cost their daemon: at rest, for
// an adoption, for a list, for a scrape and for a removal. The domains are
// cgroups of this machine below a parent of their own, and the daemon is a
// process of its own.
package scale
