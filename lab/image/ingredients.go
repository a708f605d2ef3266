// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
)

// DefaultRelease is the release of Debian on which the lab's facts were measured.
const DefaultRelease = "bookworm"

// series has the Xen of each release of Debian that the lab can boot.
var series = map[string]string{DefaultRelease: "4.17", "trixie": "4.20"}

// Releases returns the names of the releases that the lab can boot, sorted.
func Releases() []string { return slices.Sorted(maps.Keys(series)) }

const (
	hypervisorPrefix = "xen-hypervisor-"
	hypervisorSuffix = "-amd64"
)

// HypervisorPackage returns the name of the hypervisor's package of a series.
func HypervisorPackage(series string) string { return hypervisorPrefix + series + hypervisorSuffix }

// Ingredients are the packages that the base images are made of.
type Ingredients struct {
	Release  string // release of Debian, for example "bookworm"
	Xen      string // series of the hypervisor, for example "4.17"
	Packages []debs.Package
}

// FindIngredients selects a hypervisor, its tools, a kernel, and the libraries
// that they need from the packages of a release.
func FindIngredients(ctx context.Context, release *debs.Release) (*Ingredients, error) {
	xen := series[release.Name]
	userland, err := release.Closure(ctx, []string{
		HypervisorPackage(xen), "xen-utils-" + xen, "xen-utils-common", "xenstore-utils",
		"busybox-static", "libc6", "libgcc-s1", "zlib1g",
	}, isLibrary)
	if err != nil {
		return nil, err
	}
	kernel, err := release.Closure(ctx, []string{"linux-image-amd64"}, isKernel)
	if err != nil {
		return nil, err
	}
	return &Ingredients{Release: release.Name, Xen: xen, Packages: append(userland, kernel...)}, nil
}

// isLibrary reports whether a dependency can contain a shared library. It excludes
// interpreters, and services of the tools' optional parts.
func isLibrary(name string) bool {
	return strings.HasPrefix(name, "lib") && !strings.HasPrefix(name, "libpython") || name == "zlib1g"
}

func isKernel(name string) bool { return strings.HasPrefix(name, "linux-image-") }
