// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// server is the program that a DomU runs. A domain whose image does not have it
// only sleeps.
const server = "/usr/bin/vlib-server"

// A server that ends is started again, soon the first time, and then after twice
// the time before, up to the limit. After a run as long as the limit, the waits
// begin again.
const (
	backoffFirst = 100 * time.Millisecond
	backoffLimit = 5 * time.Second
)

// domuDisk is the disk with a DomU's files of the run (see [labproto]).
const domuDisk = "/dev/xvda"

func domu(params map[string]string) error {
	mods, err := newLoader(params)
	if err != nil {
		return err
	}
	if err := mods.load("xen_privcmd", "xen_evtchn", "xen_gntdev", "xen_gntalloc", "xenfs"); err != nil {
		return err
	}
	if err := xenfs.mount(); err != nil {
		return err
	}
	if name := params["vlibos.name"]; name != "" {
		if err := unix.Sethostname([]byte(name)); err != nil {
			return fmt.Errorf("set the host name: %w", err)
		}
	}
	if err := linkUp("lo"); err != nil {
		return err
	}
	if err := mods.load("xen_blkfront"); err != nil {
		return err
	}
	if err := receiveFiles(domuDisk); err != nil {
		return err
	}
	// Dom0 waits until the disk is closed.
	if err := os.WriteFile("/sys/bus/xen/drivers/vbd/unbind", []byte("vbd-"+virtualDevice), 0o200); err != nil {
		return fmt.Errorf("close %s: %w", domuDisk, err)
	}
	if _, err := os.Stat(server); errors.Is(err, fs.ErrNotExist) {
		logf("the image has no %s: this domain only sleeps", server)
		for {
			if err := unix.Pause(); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	}
	var again backoff
	for {
		cmd := exec.Command(server)
		cmd.Env = environment
		cmd.Dir = "/"
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		start := time.Now()
		err := cmd.Run()
		if err == nil {
			err = errors.New("exit status 0")
		}
		wait := again.next(time.Since(start))
		logf("%s ended: %v: starting it again in %v", server, err, wait)
		time.Sleep(wait)
	}
}

// backoff determines how long to wait before a program is started again.
type backoff struct{ wait time.Duration }

// next returns the wait after a run of the program that lasted for ran.
func (b *backoff) next(ran time.Duration) time.Duration {
	if ran >= backoffLimit {
		b.wait = 0
	}
	b.wait = min(max(2*b.wait, backoffFirst), backoffLimit)
	return b.wait
}
