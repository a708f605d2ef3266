// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// release is a release of Xen and the versions of its toolstack interfaces.
type release struct {
	name           string
	domctl, sysctl uint32
}

// releases are those whose public headers give every structure and number of this
// package the same layout and value. testdata/releases.txt has what each tag of Xen's
// repository gave, and testdata/releases.sh writes it.
var releases = []release{
	{"4.17", 0x15, 0x15},
	{"4.18", 0x16, 0x15},
	{"4.19", 0x17, 0x15},
	{"4.20", 0x17, 0x15},
	{"4.21", 0x17, 0x16},
	{"4.22", 0x18, 0x16},
}

// control is one of Xen's two toolstack interfaces. Xen accepts one version of each.
type control struct {
	name    string
	version func(release) uint32
}

var (
	domctlInterface = control{"domctl", func(r release) uint32 { return r.domctl }}
	sysctlInterface = control{"sysctl", func(r release) uint32 { return r.sysctl }}
)

// known returns the versions that this package speaks, ascending.
func (c control) known() []uint32 {
	var list []uint32
	for _, r := range releases {
		list = append(list, c.version(r))
	}
	return slices.Compact(list)
}

// lastInterface is the highest version that is tried, to name it in an error.
const lastInterface = 0x40

// Interfaces are the versions of the toolstack interfaces that Xen accepts.
type Interfaces struct {
	Domctl uint32
	Sysctl uint32
}

func (i Interfaces) String() string {
	var names []string
	for _, r := range releases {
		if r.domctl == i.Domctl && r.sysctl == i.Sysctl {
			names = append(names, r.name)
		}
	}
	if len(names) == 0 {
		names = []string{"of no release"}
	}
	return fmt.Sprintf("domctl %#x, sysctl %#x (Xen %s)", i.Domctl, i.Sysctl, strings.Join(names, ", "))
}

// Interfaces returns the versions of this Xen. The error wraps a [VersionError] if this
// package does not speak one of them.
func (h *Handle) Interfaces() (Interfaces, error) {
	domctl, err := h.domctlVersion()
	if err == nil {
		err = h.askDomctl(domctl)
	}
	if err != nil {
		return Interfaces{}, opError("find the version of domctl", err)
	}
	sysctl, err := h.sysctlVersion()
	if err == nil {
		err = h.askSysctl(sysctl)
	}
	return Interfaces{domctl, sysctl}, opError("find the version of sysctl", err)
}

func (h *Handle) domctlVersion() (uint32, error) {
	return h.find(domctlInterface, &h.domctlFound, h.askDomctl)
}

func (h *Handle) sysctlVersion() (uint32, error) {
	return h.find(sysctlInterface, &h.sysctlFound, h.askSysctl)
}

// find returns the version of an interface that Xen accepts, and remembers it. EACCES has
// two meanings: another version, which Xen checks first, and a refusal by its security
// module, which every version gets.
func (h *Handle) find(c control, found *atomic.Uint32, ask func(version uint32) error) (uint32, error) {
	if v := found.Load(); v != 0 {
		return v, nil
	}
	known := c.known()
	for _, v := range known {
		err := ask(v)
		if err == nil {
			found.Store(v)
		}
		if !errors.Is(err, unix.EACCES) {
			return v, nil // the operation itself gets the error, if there is one
		}
	}
	xens := acceptedVersion(ask)
	if xens == 0 {
		return 0, unix.EACCES
	}
	v := &VersionError{Interface: c.name, Oldest: known[0], Newest: known[len(known)-1], Xens: xens}
	if release, err := h.version(); err == nil {
		v.Release = fmt.Sprintf("%d.%d", release.Major, release.Minor)
	}
	return 0, v
}

// acceptedVersion finds Xen's version; 0 when Xen refuses all. No call returns
// the version, so this makes a harmless request with every version.
func acceptedVersion(ask func(version uint32) error) uint32 {
	for version := uint32(1); version <= lastInterface; version++ {
		if !errors.Is(ask(version), unix.EACCES) {
			return version
		}
	}
	return 0
}

// askDomctl looks up domain 0. The command and the positions of version and
// domain have been the same in every release; the answer is ignored.
func (h *Handle) askDomctl(version uint32) error {
	_, err := h.domctlAs(version, domctlGetDomainInfo, 0, getDomainInfo{})
	return err
}

// askSysctl lists no domains.
func (h *Handle) askSysctl(version uint32) error {
	_, err := h.sysctlList(version, 0, 0)
	return err
}
