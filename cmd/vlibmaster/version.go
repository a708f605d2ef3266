// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/internal/release"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

type versionJSON struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Host     string `json:"host"`
	Revision uint32 `json:"channel_revision"`
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:   "version",
		Usage:  "print the versions of this program and of the channel protocol",
		Flags:  []cli.Flag{jsonFlag("")},
		Action: versionAction,
	}
}

func versionAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	v := version()
	if c.Bool("json") {
		return joinObjects(c.App.Writer, v)
	}
	commit := v.Commit
	if commit == "" {
		commit = "unknown commit"
	}
	if v.Modified {
		commit += ", modified"
	}
	_, err := fmt.Fprintf(c.App.Writer, "vlibmaster %s (%s)\n%s %s\nchannel revision %d\n", v.Version, commit, v.Go, v.Host, v.Revision)
	return err
}

func version() versionJSON {
	r := release.Of()
	return versionJSON{
		Version: r.Version, Commit: r.Commit, Modified: r.Modified,
		Go: runtime.Version(), Host: runtime.GOOS + "/" + runtime.GOARCH, Revision: transport.Revision,
	}
}
