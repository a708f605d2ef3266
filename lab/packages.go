// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"os"

	"github.com/vlibos/vlibos/lab/image"
)

// packages are the segments with the packages of a run's images: one file each, or none.
type packages struct {
	dom0, domu           []string
	dom0Bytes, domuBytes int64
}

// findPackages returns the segments of a configuration's packages. It makes those that
// the cache does not have.
func findPackages(ctx context.Context, c Config, base *image.Base) (p packages, err error) {
	cache, err := image.DefaultCache()
	if err != nil {
		return p, err
	}
	find := func(names []string) (paths []string, size int64, err error) {
		if len(names) == 0 {
			return nil, 0, nil
		}
		path, err := cache.Segment(ctx, base, names, c.SetupLog)
		if err != nil {
			return nil, 0, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, 0, err
		}
		return []string{path}, info.Size(), nil
	}
	if p.dom0, p.dom0Bytes, err = find(c.Dom0Packages); err != nil {
		return p, err
	}
	p.domu, p.domuBytes, err = find(c.DomUPackages)
	return p, err
}

// makeRoom returns c, which is given with its defaults set, with memory for the packages
// where given leaves it to the lab. A kernel holds a ramdisk twice, packed and unpacked;
// the unpacked one may use half of its memory. Dom0 holds the DomUs' ramdisk as well.
func (p packages) makeRoom(given, c Config) Config {
	dom0, domu := int(p.dom0Bytes>>20), int(p.domuBytes>>20)
	if given.DomUMemoryMiB == 0 {
		c.DomUMemoryMiB += 3 * domu
	}
	if given.MemoryMiB == 0 {
		c.MemoryMiB = defaultDom0MiB + c.reserved() + 3*dom0 + 5*domu
	}
	return c
}
