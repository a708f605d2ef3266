// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
)

// preferredXen is the series that the lab's facts were measured on.
const preferredXen = "4.17"

const (
	hypervisorPrefix = "xen-hypervisor-"
	hypervisorSuffix = "-amd64"
)

// kernelPackages are the packages whose dependency is the current kernel:
// Debian's and Ubuntu's.
var kernelPackages = []string{"linux-image-amd64", "linux-image-generic"}

// Ingredients are the packages that the base images are made of.
type Ingredients struct {
	Xen      string // series of the hypervisor, for example "4.17"
	Packages []debs.Package
}

// FindIngredients picks a hypervisor, its tools, a kernel, and the libraries
// that they need from what the machine's package sources offer.
func FindIngredients(ctx context.Context) (*Ingredients, error) {
	names, err := debs.Names(ctx, hypervisorPrefix)
	if err != nil {
		return nil, err
	}
	series, err := pickXen(names)
	if err != nil {
		return nil, err
	}
	userland, err := debs.Closure(ctx, []string{
		hypervisorPrefix + series + hypervisorSuffix, "xen-utils-" + series, "xenstore-utils",
		"busybox-static", "libc6", "libgcc-s1", "zlib1g",
	}, isLibrary)
	if err != nil {
		return nil, err
	}
	kernel, err := findKernel(ctx)
	if err != nil {
		return nil, err
	}
	return &Ingredients{Xen: series, Packages: append(userland, kernel...)}, nil
}

// pickXen returns the preferred series if it is offered, else the newest.
func pickXen(names []string) (string, error) {
	var offered []string
	for _, n := range names {
		s, ok := strings.CutPrefix(n, hypervisorPrefix)
		s, ok2 := strings.CutSuffix(s, hypervisorSuffix)
		if _, _, err := seriesNumbers(s); ok && ok2 && err == nil {
			offered = append(offered, s)
		}
	}
	if len(offered) == 0 {
		return "", fmt.Errorf("package %s%s%s or of another series: %w",
			hypervisorPrefix, preferredXen, hypervisorSuffix, debs.ErrNotOffered)
	}
	if slices.Contains(offered, preferredXen) {
		return preferredXen, nil
	}
	return slices.MaxFunc(offered, func(a, b string) int {
		am, an, _ := seriesNumbers(a)
		bm, bn, _ := seriesNumbers(b)
		if am != bm {
			return am - bm
		}
		return an - bn
	}), nil
}

func seriesNumbers(s string) (major, minor int, err error) {
	a, b, _ := strings.Cut(s, ".")
	if major, err = strconv.Atoi(a); err != nil {
		return 0, 0, err
	}
	minor, err = strconv.Atoi(b)
	return major, minor, err
}

func findKernel(ctx context.Context) ([]debs.Package, error) {
	for _, name := range kernelPackages {
		pkgs, err := debs.Closure(ctx, []string{name}, isKernel)
		if errors.Is(err, debs.ErrNotOffered) {
			continue
		}
		return pkgs, err
	}
	return nil, fmt.Errorf("kernel package %s: %w", strings.Join(kernelPackages, " or "), debs.ErrNotOffered)
}

// isLibrary says which dependencies can hold a shared library. Interpreters
// and services of the tools' optional parts stay out.
func isLibrary(name string) bool {
	return strings.HasPrefix(name, "lib") && !strings.HasPrefix(name, "libpython") || name == "zlib1g"
}

func isKernel(name string) bool {
	return strings.HasPrefix(name, "linux-image-") || strings.HasPrefix(name, "linux-modules-")
}
