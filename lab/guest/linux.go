// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/labproto"
)

// startLinux prepares a machine without Xen: it loads what udev would load on this
// processor. A module of counters that this processor lacks says so.
func (h *hostConn) startLinux(mods *loader, _ labproto.Plan) error {
	if err := mods.load("virtio_blk"); err != nil {
		return err
	}
	for _, name := range counterModules {
		if err := mods.load(name); err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	if err := unix.Sethostname([]byte("linux")); err != nil {
		return err
	}
	return linkUp("lo")
}

// counterModules are the drivers of counters outside of cores.
var counterModules = []string{"intel_uncore", "amd_uncore"}
