// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

type mount struct {
	source, target, fstype, data string
	flags                        uintptr
}

var kernelFilesystems = []mount{
	{"devtmpfs", "/dev", "devtmpfs", "mode=755", unix.MS_NOSUID},
	{"proc", "/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"sysfs", "/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"devpts", "/dev/pts", "devpts", "mode=620,ptmxmode=666", unix.MS_NOSUID | unix.MS_NOEXEC},
	{"tmpfs", "/dev/shm", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
	{"tmpfs", "/run", "tmpfs", "mode=755", unix.MS_NOSUID | unix.MS_NODEV},
	{"tmpfs", "/tmp", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
}

// xenfs provides /proc/xen, where xenstored finds its page and libxl the
// capabilities. The mount point exists once Xen's drivers are loaded.
var xenfs = mount{"xenfs", "/proc/xen", "xenfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC}

func mountKernelFilesystems() error {
	for _, m := range kernelFilesystems {
		if err := m.mount(); err != nil {
			return err
		}
	}
	return nil
}

func (m mount) mount() error {
	// procfs makes its own folders; others may be missing.
	if err := os.MkdirAll(m.target, 0o755); err != nil && !strings.HasPrefix(m.target, "/proc/") {
		return err
	}
	err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data)
	if err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount %s on %s: %w", m.fstype, m.target, err)
	}
	return nil
}

// kernelParameters returns the kernel's command line by name. A parameter without a
// value is empty. The last of several of one name counts.
func kernelParameters() (map[string]string, error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}
	return parseParameters(string(line)), nil
}

func parseParameters(line string) map[string]string {
	params := make(map[string]string)
	for _, field := range strings.Fields(line) {
		name, value, _ := strings.Cut(field, "=")
		params[name] = value
	}
	return params
}
