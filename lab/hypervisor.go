// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/module"
)

// The names of hypervisors.
const (
	// StockXen is the distribution's hypervisor, unmodified.
	StockXen = "stock"
	// VlibXen is Xen of the same series with this project's module, built on this
	// machine from the release's source package.
	VlibXen = "vlib"
	// VlibDebugXen is VlibXen with Xen's assertions and checks of locks.
	VlibDebugXen = "vlib-debug"
	// VlibFlaskXen is VlibXen with XSM and Flask, which enforces the policy of Xen's
	// own source.
	VlibFlaskXen = "vlib-flask"
	// UnsupportedXen is Xen of VlibXen's source without the module, with the schedulers
	// that Xen does not support: RTDS, null, ARINC653.
	UnsupportedXen = "unsupported"
	// NoXen boots the release's Linux alone.
	NoXen = "none"
)

// variants are the hypervisors that are built here, by name.
var variants = map[string]module.Variant{
	VlibXen: module.Plain, VlibDebugXen: module.Debug, VlibFlaskXen: module.Flask, UnsupportedXen: module.Unsupported,
}

func isBuilt(name string) bool {
	_, ok := variants[name]
	return ok
}

func hasModule(name string) bool { return isBuilt(name) && name != UnsupportedXen }

// vlibScheduler is the name of the module's scheduler on Xen's command line.
const vlibScheduler = "vlib"

// givenSource is the environment variable that names a folder with the source of Xen.
// VlibXen is then built from that instead of the release's source package.
const givenSource = "XEN_SOURCE"

// HypervisorImage is the file of a hypervisor.
type HypervisorImage struct {
	// Path is the file that is booted.
	Path string
	// Source is the version that VlibXen was built from. Given says that this is not
	// the release's source package.
	Source string
	Given  bool
	// Newer is the version of the release's own hypervisor if Source is older, else
	// "". VlibXen then lacks the repairs since.
	Newer string
	// Advisories are the Xen security advisories that the release's changelog names
	// for versions newer than Source.
	Advisories []string
}

// Hypervisor sets the machine up ([Setup]) and returns the image of the hypervisor that
// [Config.Xen] names. It builds VlibXen if there is no image of the module's current
// content. That needs a compiler, which is installed as [Setup] does it; it takes a few
// minutes the first time, and seconds later. If its source is not available, the error
// is [module.ErrNoSource]. With refresh it looks for newer packages and a newer source
// package first. It reports what it does on log.
//
// Without a release it takes the one whose tools fit the given source, or else the default.
// Where the tools of no release fit, it compiles, but the lab cannot boot the image.
func Hypervisor(ctx context.Context, release, name string, refresh bool, log io.Writer) (HypervisorImage, error) {
	var series string
	if given := os.Getenv(givenSource); given != "" && release == "" {
		version, of, err := module.TreeVersion(given)
		if err != nil {
			return HypervisorImage{}, err
		}
		fmt.Fprintf(log, "found the source of Xen %s\n", version)
		if release = image.ReleaseOf(of); release == "" {
			series = of
		}
	}
	base, err := Setup(ctx, release, refresh, log)
	if err != nil {
		return HypervisorImage{}, err
	}
	if series != "" {
		base = &image.Base{Xen: series}
	}
	img, err := hypervisor(ctx, name, base, refresh, log)
	if err == nil && img.Newer != "" {
		img.Advisories, err = advisories(ctx, base, img.Source, log)
	}
	if err != nil && ctx.Err() != nil {
		return HypervisorImage{}, ended(ctx)
	}
	return img, err
}

// advisories returns those that the changelog of the release's hypervisor names since a
// version.
func advisories(ctx context.Context, base *image.Base, version string, log io.Writer) ([]string, error) {
	cache, err := image.DefaultCache()
	if err != nil {
		return nil, err
	}
	name := image.HypervisorPackage(base.Xen)
	root, err := cache.Unpacked(ctx, base.Release, []string{name}, func(string) bool { return false }, log)
	if err != nil {
		return nil, err
	}
	return debs.Advisories(ctx, filepath.Join(root, "usr/share/doc", name, "changelog.Debian.gz"), version)
}

// hypervisor returns the file of the hypervisor of a name.
func hypervisor(ctx context.Context, name string, base *image.Base, refresh bool, log io.Writer) (HypervisorImage, error) {
	switch name {
	case NoXen:
		return HypervisorImage{}, nil
	case StockXen:
		return HypervisorImage{Path: base.Hypervisor()}, nil
	case VlibXen, VlibDebugXen, VlibFlaskXen, UnsupportedXen:
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
				other = ", or use --release " + image.DefaultRelease
			}
			err = fmt.Errorf("%w\nset %s to the folder of a source tree of Xen %s%s; runs without the module are possible",
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

// LivePatch sets the machine up ([Setup]) and returns the module as a live patch, with the
// release's own hypervisor that it is for. It builds it as [Hypervisor] does.
func LivePatch(ctx context.Context, release string, log io.Writer) (*module.Live, error) {
	base, err := Setup(ctx, release, false, log)
	if err != nil {
		return nil, err
	}
	cache, err := image.DefaultCache()
	if err != nil {
		return nil, err
	}
	if err := install(ctx, missing(compileTools), log); err != nil {
		return nil, err
	}
	return module.NewCache(cache).Live(ctx, base, log)
}
