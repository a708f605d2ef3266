// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"

	"github.com/vlibos/vlibos/throttle/cache"
)

// CacheShare is what a domain gets of caches and of memory bandwidth.
type CacheShare struct {
	Domain
	Class string
	cache.Masks
}

// CachePartitioner carries cache classes out on a host. It is not safe for
// concurrent use.
type CachePartitioner interface {
	// Layout is what there is to share.
	Layout() cache.Layout

	// Apply gives these domains their shares, and all others that it gave any
	// what they had before, also those that an earlier process left. After an
	// error all is as it was before the call, as far as the host lets it, or
	// the error says so too. Domains that are gone are left out.
	Apply(context.Context, []CacheShare) error

	// Close gives back what Apply gave, and frees what is held.
	Close() error
}
