// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package hvm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// begun is what the init program of a test's domain prints when it is at its work.
const begun = "the work begins"

// ramdisk makes a ramdisk of the lab's programs, a shell script as init, and files, which
// are added to the programs.
func ramdisk(t *testing.T, init string, files ...string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "ramdisk"))
	host.Must(t, err)
	defer f.Close()
	programs, err := os.ReadFile(image.Ramdisk)
	host.Must(t, err)
	_, err = f.Write(programs)
	host.Must(t, err)
	a := image.NewArchive(f)
	a.File(image.Init, 0o755, []byte("#!/bin/sh\nmount -t proc proc /proc\nmount -t sysfs sysfs /sys\nmount -t devtmpfs dev /dev\n"+init))
	for _, file := range files {
		a.HostFile("/usr/bin/"+filepath.Base(file), file)
	}
	host.Must(t, a.Close())
	return f.Name()
}

// start starts a domain beside the lab's own until the end of the test, waits until it has
// begun, and returns its number and what its console says.
func start(t *testing.T, name, config, console string) (id uint16, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guest.cfg")
	host.Must(t, os.WriteFile(file, fmt.Appendf(nil, "name = %q\nmemory = 256\nvcpus = 1\ncpus = \"1\"\n%s"+
		"on_poweroff = \"destroy\"\non_reboot = \"destroy\"\non_crash = \"destroy\"\n", name, config), 0o644))
	host.Run(t, "xl", "create", file)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the console of %s:\n%s", name, said)
		}
		host.Run(t, "xl", "destroy", name)
	})
	testkit.Eventually(t, name+" has begun", func() bool {
		data, err := os.ReadFile(console)
		said = string(data)
		return err == nil && strings.Contains(said, begun)
	})
	return host.DomainID(t, name), said
}

// direct has a kernel and a ramdisk loaded by the toolstack or the device model.
func direct(ramdisk, parameters string) string {
	return fmt.Sprintf("kernel = %q\nramdisk = %q\nextra = %q\n", image.Kernel, ramdisk, parameters)
}

// faster leaves out of a kernel's start what takes seconds in emulation.
const faster = " panic=1 rodata=off cryptomgr.notests "

// startHVM starts an HVM domain with an emulated drive, network card and serial port, which
// its init program writes to. Its kernel has the parameters.
func startHVM(t *testing.T, name, parameters, init string, files ...string) (id uint16, said string) {
	t.Helper()
	dir := t.TempDir()
	drive, console := filepath.Join(dir, "drive"), filepath.Join(dir, "console")
	parameters = "console=ttyS0 loglevel=4" + faster + parameters
	disk := ramdisk(t, "exec >/dev/ttyS0 2>&1\ngrep -l 0x100e /sys/bus/pci/devices/*/device && echo network card\n"+init, files...)
	host.Must(t, os.WriteFile(drive, make([]byte, 1<<20), 0o600))
	return start(t, name, direct(disk, parameters)+fmt.Sprintf("type = \"hvm\"\nvga = \"none\"\nnographic = 1\nhap = 1\ntsc_mode = \"native\"\nserial = \"file:%s\"\n"+
		"disk = [ \"format=raw, vdev=hdb, access=rw, backendtype=qdisk, target=%s\" ]\n"+
		"device_model_args = [ \"-device\", \"e1000,romfile=\" ]\n", console, drive), console)
}

// spinBeside starts a PV domain that spins on the guests' CPU.
func spinBeside(t *testing.T) {
	t.Helper()
	disk := ramdisk(t, "exec >/dev/hvc0\necho "+begun+"\nwhile :; do :; done\n")
	start(t, "spin", direct(disk, "console=hvc0"+faster), "/var/log/xen/console/guest-spin.log")
}
