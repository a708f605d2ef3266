// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/vlibcall"
)

// openDomain opens a channel to the domain that ref names, as the command line says.
// The caller closes it.
func openDomain(c *cli.Context, ref string, o vlibos.Options) (*vlibos.Domain, error) {
	cfg, err := chosen(c)
	if err != nil {
		return nil, err
	}
	o.Host, o.NativeDir, o.RunDir = cfg.Host, cfg.NativeDir, c.String("run-dir")
	o.Unpaid = o.Reservation == 0 // --reservation has what the environment says
	o.NotCounted = func(err error) {
		fmt.Fprintf(c.App.ErrWriter, "vlibmaster: the call is not counted for 'vlibmaster top': %s\n", oneLine(err.Error()))
	}
	return o.Open(c.Context, ref)
}

// explain adds the domain to an error that does not name it.
func explain(d *vlibos.Domain, err error) error {
	named, op := (*directory.Error)(nil), (*vlibcall.OpError)(nil)
	if err == nil || errors.As(err, &named) || errors.As(err, &op) && op.Peer != "" {
		return err
	}
	return fmt.Errorf("domain %s: %w", d, err)
}
