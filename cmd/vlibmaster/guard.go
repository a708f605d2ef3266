// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/platform/native"
	"github.com/vlibos/vlibos/dom0/platform/stock"
	"github.com/vlibos/vlibos/dom0/platform/threads"
)

// guardCommands are run by the platforms themselves, beside the master.
func guardCommands() []*cli.Command {
	return []*cli.Command{guardCommand("native-guard", native.Guard), guardCommand("stock-guard", stock.Guard),
		guardCommand("thread-guard", func(stdin io.Reader, _ string) error { return threads.Guard(stdin) })}
}

func guardCommand(name string, guard func(stdin io.Reader, what string) error) *cli.Command {
	return &cli.Command{
		Name: name, Hidden: true,
		Action: func(c *cli.Context) error { return guard(c.App.Reader, c.Args().First()) },
	}
}
