// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/module"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/dom0/memory/caching"
	"github.com/vlibos/vlibos/dom0/memory/psr"
	"github.com/vlibos/vlibos/dom0/memory/resctrl"
	"github.com/vlibos/vlibos/xenctl"
)

// cachePartitioner opens what partitions caches on a host: Linux where domains are
// processes, and Xen otherwise.
func cachePartitioner(p host.Host, dir string) caching.Open {
	return func() (memory.CachePartitioner, error) {
		if p, ok := p.(*native.Host); ok {
			g, err := resctrl.Open(p.Parent(), p.Threads)
			if err != nil {
				return nil, err
			}
			return g, nil
		}
		h, err := xenctl.Open()
		if err != nil {
			return nil, err
		}
		var calls psr.Calls
		if p, ok := p.(*module.Host); ok {
			calls = p
		}
		c, err := psr.Open(h, calls, filepath.Join(dir, "cache.json"))
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

// cacheMonitor opens what reads domains' use of caches.
func cacheMonitor(p host.Host) caching.OpenMonitor {
	return func() (memory.CacheMonitor, error) {
		if p, ok := p.(*native.Host); ok {
			m, err := resctrl.OpenMonitor(p.Parent(), p.Threads)
			if err != nil {
				return nil, err
			}
			return m, nil
		}
		h, err := xenctl.Open()
		if err != nil {
			return nil, err
		}
		m, err := psr.OpenMonitor(h)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}
