// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/module"
)

// The hypervisors that have a name.
const (
	// StockXen is the hypervisor of the distribution, unmodified.
	StockXen = "stock"
	// VlibXen is Xen of the same series with this project's module in it,
	// built on this machine from the release's source package.
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

// givenSource is the environment variable that names a folder with the source of
// Xen, to build VlibXen from in place of the release's source package.
const givenSource = "XEN_SOURCE"

// HypervisorImage is a hypervisor as a file.
type HypervisorImage struct {
	// Path is the file that is booted.
	Path string
	// Source is, of VlibXen, the version that it was built from; Given says
	// that this was not the release's source package.
	Source string
	Given  bool
	// Newer is the version of the release's own hypervisor if Source is older
	// than that, else "". What was repaired since is not in VlibXen.
	Newer string
}

// Hypervisor sets the machine up ([Setup]) and returns the image that is booted
// for [Config.Xen] = name. VlibXen is built if there is none of the module's
// present content, which needs a compiler, that is installed as [Setup] does it,
// a few minutes the first time and seconds later. Where its source cannot be had
// it is [module.ErrNoSource]. With refresh it looks for a newer source package
// first. It says what it does on log.
func Hypervisor(ctx context.Context, release, name string, refresh bool, log io.Writer) (HypervisorImage, error) {
	base, err := Setup(ctx, release, false, log)
	if err != nil {
		return HypervisorImage{}, err
	}
	img, err := hypervisor(ctx, name, base, refresh, log)
	if err != nil && ctx.Err() != nil {
		return HypervisorImage{}, ended(ctx)
	}
	return img, err
}

// hypervisor is the place where the name of a hypervisor becomes a file.
func hypervisor(ctx context.Context, name string, base *image.Base, refresh bool, log io.Writer) (HypervisorImage, error) {
	switch name {
	case StockXen:
		return HypervisorImage{Path: base.Hypervisor()}, nil
	case VlibXen, VlibDebugXen, VlibFlaskXen:
		cache, err := image.DefaultCache()
		if err != nil {
			return HypervisorImage{}, err
		}
		tools := compileTools
		if name == VlibFlaskXen {
			tools = slices.Concat(tools, policyTools)
		}
		if err := install(ctx, missing(tools), log); err != nil {
			return HypervisorImage{}, err
		}
		built, err := module.NewCache(cache).Of(variants[name]).Build(ctx, base, os.Getenv(givenSource), refresh, log)
		if errors.Is(err, module.ErrNoSource) {
			other := ""
			if base.Release != image.DefaultRelease {
				other = ", or take --release " + image.DefaultRelease
			}
			err = fmt.Errorf("%w\nset %s to the folder of a source tree of Xen %s%s; all that needs no module works without",
				err, givenSource, base.Xen, other)
		}
		if err != nil {
			return HypervisorImage{}, err
		}
		img := HypervisorImage{Path: built.Path, Source: built.Source, Given: built.Given}
		if newest := base.Packages[image.HypervisorPackage(base.Xen)]; debs.Older(ctx, img.Source, newest) {
			img.Newer = newest
		}
		return img, nil
	}
	return HypervisorImage{Path: name}, nil
}
