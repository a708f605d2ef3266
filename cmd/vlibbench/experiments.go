// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/command"
	"github.com/vlibos/vlibos/bench/report"
	"github.com/vlibos/vlibos/bench/tail"
	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
)

// experimentCommands returns the commands of 'vlibmaster bench', with memcached from
// the lab's cache, and the report of all records.
func experimentCommands() []*cli.Command {
	own := command.New(command.Config{
		Name: "run", Program: "vlibbench", Service: memcached,
		Keep: func(c *cli.Context, r bench.Record) error { return bench.Append(c.String("out"), r) },
	})
	return append(own, &cli.Command{
		Name: "report", Usage: "make one page of the latest result of each name", ArgsUsage: "DIR",
		Action: reportAction,
	})
}

func reportAction(c *cli.Context) error {
	if c.NArg() != 1 {
		return fmt.Errorf("report needs one DIR, not %d arguments", c.NArg())
	}
	records, err := bench.Read(c.String("out"))
	if err != nil {
		return err
	}
	file, err := report.Write(c.Args().First(), records)
	if err != nil {
		return err
	}
	if err := report.Summary(c.App.Writer, records); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, "the report:", file)
	return err
}

// memcached returns that of this machine's release, unpacked in the lab's cache: an
// installed memcached would be started as a service.
func memcached(ctx context.Context, log io.Writer) (tail.Program, error) {
	cache, err := image.DefaultCache()
	if err != nil {
		return tail.Program{}, err
	}
	if err := debs.Available(); err != nil {
		return tail.Program{}, err
	}
	apt, err := debs.Machine(ctx)
	if err != nil {
		return tail.Program{}, err
	}
	fmt.Fprintln(log, "downloading memcached")
	root, err := apt.Unpacked(ctx, cache.Dir, []string{"memcached"}, func(name string) bool {
		// Its libraries, except for the C library's.
		return strings.HasPrefix(name, "libevent") || strings.HasPrefix(name, "libsasl2") || strings.HasPrefix(name, "libssl") || strings.HasPrefix(name, "libseccomp")
	})
	if err != nil {
		return tail.Program{}, err
	}
	libraries, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu/lib*.so.*"))
	return tail.Program{Path: filepath.Join(root, "usr/bin/memcached"), Libraries: libraries}, err
}
