// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"io"
	"slices"

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
	// VlibDebugXen is the same with Xen's assertions and checks of locks.
	VlibDebugXen = "vlib-debug"
	// VlibFlaskXen is the same with XSM and Flask, which enforces the policy of
	// Xen's own source.
	VlibFlaskXen = "vlib-flask"
)

// variants are the hypervisors with the module, by name.
var variants = map[string]module.Variant{
	VlibXen: module.Plain, VlibDebugXen: module.Debug, VlibFlaskXen: module.Flask,
}

func hasModule(name string) bool {
	_, ok := variants[name]
	return ok
}

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
	case VlibXen, VlibDebugXen, VlibFlaskXen:
		cache, err := image.DefaultCache()
		if err != nil {
			return "", err
		}
		tools := compileTools
		if name == VlibFlaskXen {
			tools = slices.Concat(tools, policyTools)
		}
		if err := install(ctx, missing(tools), log); err != nil {
			return "", err
		}
		// Of the base's series, as its tools are in Dom0.
		img, err := module.NewCache(cache).Of(variants[name]).Build(ctx, base.Xen, refresh, log)
		if err != nil {
			return "", err
		}
		return img.Path, nil
	}
	return name, nil
}
