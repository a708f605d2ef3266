// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
)

// places are the paths of xenstored's sockets and of the kernel's devices, the
// best first.
var places = []string{
	"/run/xenstored/socket",
	"/var/run/xenstored/socket",
	"/dev/xen/xenbus",
	"/proc/xen/xenbus",
}

// Open connects to xenstored. The environment variable XENSTORED_PATH names the
// socket or device to use, or XENSTORED_RUNDIR the folder of the socket;
// otherwise the usual places are tried. The caller closes the client.
func Open(ctx context.Context) (*Client, error) {
	if path := os.Getenv("XENSTORED_PATH"); path != "" {
		return OpenPath(ctx, path)
	}
	list := places
	if dir := os.Getenv("XENSTORED_RUNDIR"); dir != "" {
		list = append([]string{dir + "/socket"}, places...)
	}
	var failed []error
	for _, path := range list {
		c, err := OpenPath(ctx, path)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	return nil, opError("open", "", fmt.Errorf("%w: no socket of xenstored and no /dev/xen/xenbus (not a Xen domain?)", fs.ErrNotExist))
}

// OpenPath connects through one socket or device.
func OpenPath(ctx context.Context, path string) (*Client, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, opError("open", "", err)
	}
	var (
		conn   io.ReadWriteCloser
		device bool
	)
	if info.Mode()&fs.ModeSocket != 0 {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", path)
	} else {
		// The device can be polled, so a blocked read of it waits in the Go
		// runtime, and Close ends the read.
		device = true
		conn, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, opError("open", "", err)
	}
	return newClient(conn, device), nil
}
