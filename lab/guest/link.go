// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// machinesNetwork is the interface of the network between two of the lab's
// machines, which has the only network device.
const machinesNetwork = "eth0"

// linkUp activates a network interface. The kernel gives lo its addresses.
func linkUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return nil
}
