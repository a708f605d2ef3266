// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host/loop"
	"github.com/vlibos/vlibos/rtsched"
)

// byPriority reports whether domains below the parent are raised by real-time
// priority, and not by weight: before Linux 6.6 a cgroup that ran at the lowest
// weight has to make up for that, however heavy it becomes, before it runs again.
// A kernel that shares real-time among cgroups of version 1 keeps it from those
// that have no share, and all shares of a machine must not sum up to more than
// one CPU's.
func byPriority(l layout) (bool, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false, fmt.Errorf("uname: %w", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return false, fmt.Errorf("release %q of the kernel: %w", release, err)
	}
	_, err := os.Stat(filepath.Join(l.cpu.dir, "cpu.rt_runtime_us"))
	return (major < 6 || major == 6 && minor < 6) && err != nil, nil
}

// raise lets a domain go before all others, or after all that are not idle. The
// cgroup of real-time threads is idle all the time, which matters to them only
// while they are ordinary ones.
func (k *keeper) raise(d *kept, foreground bool) error {
	if !k.weights {
		err := d.group.setIdle()
		if err == nil {
			priority := 0
			if foreground {
				priority = rtsched.Priority(d.period, loop.Levels)
			}
			err = setPriority(d.group.dir, d.group.version, priority)
		}
		if !errors.Is(err, unix.EPERM) {
			return err
		}
		if err := k.useWeights(); err != nil {
			return err
		}
	}
	if foreground {
		return d.group.setWeight(heaviest)
	}
	return d.group.setIdle()
}

// useWeights gives up on real-time threads, which this kernel or this process'
// rights do not allow.
func (k *keeper) useWeights() error {
	k.weights = true
	for _, d := range k.kept {
		d.unset = true
	}
	return k.claim()
}

// lower gives a domain what it had.
func (k *keeper) lower(d *kept) error {
	var err error
	if !k.weights {
		err = setPriority(d.group.dir, d.group.version, 0)
	}
	return errors.Join(err, d.group.restore())
}
