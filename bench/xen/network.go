// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/vlibcall"
)

// The network, which has no other machines.
const (
	dom0Address = "192.0.2.1"
	domuAddress = "192.0.2.2"
)

// plug runs when Xen's tools plug a device in (xl-network-configuration(5),
// script). It connects it to nothing, since both ends have addresses.
const plug = "#!/bin/sh\n" +
	"[ \"$1\" != online ] || xenstore-write \"$XENBUS_PATH/hotplug-status\" connected\n"

// Scripts that load the drivers, make the DomU's device in Dom0, and set both
// addresses. A driver may take a moment to find its device.
const (
	dom0Network = "set -e; insmod /lib/modules/$(uname -r)/xen_netback.ko; xl network-attach %[1]d script=" + plugProgram + "; " +
		"ifconfig vif%[1]d.0 " + dom0Address + " up"
	domuNetwork = "set -e; insmod /lib/modules/$(uname -r)/xen_netfront.ko; " +
		"for i in 1 2 3 4 5 6 7 8 9; do ifconfig eth0 >/dev/null && break; sleep 1; done; ifconfig eth0 " + domuAddress + " up"
)

// connectNetwork gives a domain a network device with its other end in Dom0.
func connectNetwork(ctx context.Context, domid uint16) error {
	if err := os.WriteFile(plugProgram, []byte(plug), 0o755); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf(dom0Network, domid)).CombinedOutput(); err != nil {
		return fmt.Errorf("network device for domain %d: %w: %s", domid, err, out)
	}
	g, err := domu.Open(ctx, domid, vlibcall.Options{})
	if err != nil {
		return err
	}
	_, err = g.Run(ctx, "sh", "-c", domuNetwork)
	return errors.Join(err, g.Close())
}
