// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/dom0/host/stock"
	"github.com/vlibos/vlibos/dom0/host/threads"
)

// guardCommands are the processes that hosts start beside the master.
func guardCommands() []*cli.Command {
	return []*cli.Command{guardCommand("native-guard", native.Guard), guardCommand("stock-guard", stock.Guard),
		guardCommand("thread-guard", func(daemon io.ReadWriter, _ string) error { return threads.Guard(daemon) })}
}

func guardCommand(name string, guard func(daemon io.ReadWriter, what string) error) *cli.Command {
	return &cli.Command{
		Name: name, Hidden: true,
		Action: func(c *cli.Context) error { return guard(os.Stdin, c.Args().First()) },
	}
}
