// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The disks with the run's files in Dom0, as QEMU numbers them: Dom0's own, and
// that of all DomUs.
const (
	dom0Files = "/dev/vda"
	domuFiles = "/dev/vdb"
)

// virtualDevice is the number of xvda, the virtual block device that Dom0's kernel
// provides as a DomU's disk (Xen's public/io/blkif.h).
const virtualDevice = "51712"

// diskState is the state of one side of a device (public/io/xenbus.h).
type diskState string

const (
	diskInitialising diskState = "1"
	diskConnected    diskState = "4"
	diskClosed       diskState = "6"
)

// diskLimit limits the wait for one domain's disk, in guest time. On a busy machine the
// guest is slow in its own time, too; the run has a limit for its boot.
const diskLimit = 15 * time.Minute

// frontend and backend return the folders of a domain's disk in xenstore.
func frontend(id string) string { return "/local/domain/" + id + "/device/vbd/" + virtualDevice }
func backend(id string) string  { return "/local/domain/0/backend/vbd/" + id + "/" + virtualDevice }

// attachDisk gives a domain a block device of Dom0's, read-only. It writes what a
// toolstack would write; that needs scripts that the images do not have.
func attachDisk(id, device string) error {
	var st unix.Stat_t
	if err := unix.Stat(device, &st); err != nil {
		return fmt.Errorf("%s: %w", device, err)
	}
	front, back := frontend(id), backend(id)
	for _, step := range [][]string{
		// Each side may write to its own folder, before it is told of the device.
		{"xenstore-write", front, "", back, ""},
		{"xenstore-chmod", front, "n" + id, "r0"},
		{"xenstore-chmod", back, "n0", "r" + id},
		{"xenstore-write",
			back + "/frontend", front, back + "/frontend-id", id,
			back + "/dev", "xvda", back + "/type", "phy", back + "/mode", "r", back + "/params", device,
			back + "/physical-device", fmt.Sprintf("%x:%x", unix.Major(st.Rdev), unix.Minor(st.Rdev)),
			back + "/online", "0", // it ends when the domain closes it
			back + "/state", string(diskInitialising),
			front + "/backend", back, front + "/backend-id", "0",
			front + "/virtual-device", virtualDevice, front + "/device-type", "disk",
			front + "/state", string(diskInitialising)},
	} {
		if err := program(step[0], step[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// awaitDisk waits until a domain's side of its disk is in a state. what names that
// state's meaning in errors.
func awaitDisk(d domain, state diskState, what string) error {
	node := frontend(d.id) + "/state"
	return d.await(what, diskLimit, func() bool {
		out, err := exec.Command("xenstore-read", node).Output()
		return err == nil && diskState(strings.TrimSpace(string(out))) == state
	})
}

// detachDisk removes a disk that its domain has closed.
func detachDisk(id string) error { return program("xenstore-rm", frontend(id), backend(id)) }
