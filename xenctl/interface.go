// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// lastInterface is the highest interface version that is tried. Xen increments
// the version in some releases (0x17 in 4.20).
const lastInterface = 0x40

// explain distinguishes the two meanings of EACCES: another interface version,
// which Xen checks first, and a refusal by its security module.
func (h *Handle) explain(name string, ours uint32, ask func(version uint32) error, err error) error {
	if !errors.Is(err, unix.EACCES) {
		return err
	}
	xens := acceptedVersion(ask)
	if xens == 0 || xens == ours {
		return err
	}
	v := &VersionError{Interface: name, Ours: ours, Xens: xens}
	if release, err := h.version(); err == nil {
		v.Release = fmt.Sprintf("%d.%d", release.Major, release.Minor)
	}
	return v
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
