// SPDX-License-Identifier: Apache-2.0

// Package memory is what keeps domains from taking caches and memory bandwidth
// from one another. Its subdirectories carry it out: the throttle, and cache
// classes by Xen (psr) or Linux (resctrl).
package memory

import (
	"context"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle/cache"
)

// CacheShare is what a domain gets of caches and of memory bandwidth.
type CacheShare struct {
	host.Domain
	Class string
	cache.Masks
	// Follow: it has the class of its caller's domain while it serves a call.
	Follow bool
}

// CachePartitioner carries cache classes out on a host. It is not safe for
// concurrent use.
type CachePartitioner interface {
	// Layout is what there is to share.
	Layout() cache.Layout

	// CanFollow returns why no class follows calls on this host; nil: CacheShare.Follow
	// is possible.
	CanFollow() error

	// Apply gives these domains their shares. All others that have one, also from
	// an earlier process, get back what they had before. Domains that no longer
	// exist are left out. After an error all is as it was before the call, as far
	// as the host allows; the error says where it is not.
	Apply(context.Context, []CacheShare) error

	// Close gives back what Apply gave, and frees what Open opened.
	Close() error
}

// CacheMonitor reads what domains use of a host's third-level caches. It is not safe for
// concurrent use.
type CacheMonitor interface {
	// Capacity is the size in bytes of all third-level caches; 0: not known.
	Capacity() uint64

	// Read returns the use of these domains by ID, except Rate. A domain that cannot be
	// monitored has the reason in Problem; the others do not suffer. Counters wrap: it
	// must be called every few seconds. Domains that are not named are no longer
	// monitored.
	Read(context.Context, []host.Domain) (map[string]host.CacheUse, error)

	// Close ends the monitoring that Read began, and frees what Open opened.
	Close() error
}
