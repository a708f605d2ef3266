// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	domuserver "github.com/vlibos/vlibos/domu-server"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
)

// opener listens, and returns a description of where.
type opener func(*cli.Context, domuserver.Options) (transport.Listener, string, error)

var transports = map[string]opener{"xen": listenXen, "native": listenNative}

func transportNames() []string { return slices.Sorted(maps.Keys(transports)) }

func bestTransport() string {
	if xen.Available() == nil {
		return "xen"
	}
	return "native"
}

func listenXen(c *cli.Context, o domuserver.Options) (transport.Listener, string, error) {
	if err := xen.Available(); err != nil {
		return nil, "", fmt.Errorf("%w: this is not a Xen guest, its kernel runs without Xen's drivers (parameters nopv, xen_nopv), or its modules xen-evtchn and xen-gntalloc are not loaded (modprobe them, or use --transport native)", err)
	}
	l, err := xen.Listen(c.Context, o.Port)
	if err != nil {
		return nil, "", err
	}
	return l, "Dom0 may call; it listens " + l.Manner(), nil
}

func listenNative(c *cli.Context, o domuserver.Options) (transport.Listener, string, error) {
	dir := filepath.Join(c.String("native-dir"), o.Name)
	l, err := native.Listen(dir, o.Port)
	if err != nil {
		return nil, "", fmt.Errorf("%w (--native-dir chooses another directory)", err)
	}
	return l, native.Socket(dir, o.Port), nil
}
