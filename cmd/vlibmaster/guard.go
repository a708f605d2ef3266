// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/host/module"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/dom0/host/stock"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/dom0/selftest"
)

// guards are what undoes, for each host and for the self-test.
var guards = map[string]func(daemon io.ReadWriter, of string) error{
	module.Name: threads.Guard, native.Name: native.Guard, stock.Name: stock.Guard,
	selftest.Name: selftest.Guard,
}

// guardCommand is run by the hosts themselves, beside the master, and by the self-test.
func guardCommand() *cli.Command {
	return &cli.Command{
		Name: "guard", Hidden: true, ArgsUsage: "HOST [OF]",
		Action: func(c *cli.Context) error {
			guard := guards[c.Args().First()]
			if guard == nil {
				return fmt.Errorf("guard: there is no host %.80q", c.Args().First())
			}
			return guard(os.Stdin, c.Args().Get(1))
		},
	}
}
