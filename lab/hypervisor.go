// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"io"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/module"
)

// The hypervisors that have a name.
const (
	// StockXen is the hypervisor of the distribution, unmodified.
	StockXen = "stock"
	// VlibXen is Xen of the same series with this project's module in it,
	// built on this machine from the distribution's source package.
	VlibXen = "vlib"
)

// vlibScheduler is the module's scheduler on Xen's command line.
const vlibScheduler = "vlib"

// Hypervisor sets the machine up ([Setup]) and returns the path of the image
// that is booted for [Config.Xen] = name. VlibXen is built if there is none of
// the module's present content, which needs a compiler, that is installed as
// [Setup] does it, a few minutes the first time and seconds later. With refresh
// it looks for a newer source package first. It says what it does on log.
func Hypervisor(ctx context.Context, name string, refresh bool, log io.Writer) (string, error) {
	base, err := Setup(ctx, false, log)
	if err != nil {
		return "", err
	}
	path, err := hypervisor(ctx, name, base, refresh, log)
	if err != nil && ctx.Err() != nil {
		return "", ended(ctx)
	}
	return path, err
}

// hypervisor is the place where the name of a hypervisor becomes a file.
func hypervisor(ctx context.Context, name string, base *image.Base, refresh bool, log io.Writer) (string, error) {
	switch name {
	case StockXen:
		return base.Hypervisor(), nil
	case VlibXen:
		cache, err := image.DefaultCache()
		if err != nil {
			return "", err
		}
		if err := install(ctx, missing(compileTools), log); err != nil {
			return "", err
		}
		// Of the base's series, as its tools are in Dom0.
		img, err := module.NewCache(cache).Build(ctx, base.Xen, refresh, log)
		if err != nil {
			return "", err
		}
		return img.Path, nil
	}
	return name, nil
}
