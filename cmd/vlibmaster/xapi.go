// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

func xapiCommand() *cli.Command {
	usage := func(c *cli.Context, err error, _ bool) error { return usagef("%w", err) }
	return &cli.Command{
		Name:  "xapi",
		Usage: "show what VMs ask for in XAPI (XCP-ng, XenServer)",
		Description: `A VM asks for a reservation by entries of its other_config, which move with it:

   xe vm-param-set uuid=UUID other-config:vlibos:budget=10ms other-config:vlibos:period=100ms
   xe vm-param-get uuid=UUID param-name=other-config param-key=vlibos:status

   vlibos:budget, vlibos:period   CPU time, and in every such time
   vlibos:vcpus                   how many vCPUs have that budget each, or all; default 1
   vlibos:class                   batch (default) or critical
   vlibos:cache                   a cache class of the configuration
   vlibos:calls                   charge: the reservation is charged for calls to the VM,
                                  not for its own time; listens: also, the VM's server
                                  says when it has answered
   vlibos:status                  the master's answer

The configuration and 'vlibmaster adopt' have precedence. See [xapi] in
vlibmaster.toml(5).`,
		Subcommands: []*cli.Command{
			{
				Name: "status", Usage: "show the connection to XAPI, and each VM that asks for something with the answer",
				Flags:        []cli.Flag{jsonFlag(""), runDirFlag()},
				OnUsageError: usage, HideHelpCommand: true, Action: xapiStatusAction,
			},
			{
				Name: "hook", Hidden: true, ArgsUsage: "HOOK",
				Flags:        []cli.Flag{&cli.StringFlag{Name: "vmuuid"}, &cli.StringFlag{Name: "vmdomid"}, &cli.StringFlag{Name: "reason"}, runDirFlag()},
				OnUsageError: usage, HideHelpCommand: true, Action: xapiHookAction,
			},
		},
	}
}

func xapiStatusAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	m := toMaster(c)
	defer m.Close()
	x, err := m.XAPI(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, x)
	}
	return printXAPI(c.App.Writer, x)
}

func printXAPI(w io.Writer, x api.XAPI) error {
	state := fmt.Sprintf("%s: it answers; VMs of the pool: %d", x.Address, x.VMs)
	switch {
	case !x.Followed:
		state = "not followed: this host has none, or the configuration says so"
	case x.Problem != "":
		state = fmt.Sprintf("%s: it does not answer as it should, and requests stay as they were: %s", x.Address, x.Problem)
	case !x.Known:
		state = x.Address + ": it has not answered yet"
	}
	if _, err := fmt.Fprintf(w, "XAPI %s\n", oneLine(state)); err != nil || len(x.Asked) == 0 {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nUUID\tNAME\tPOWER\tDOMAIN\tTAGS\tASKED\tSTATUS")
	for _, v := range x.Asked {
		domain := "-"
		switch {
		case v.Here:
			domain = fmt.Sprint(v.Domid)
		case v.Domid >= 0:
			domain = "elsewhere"
		}
		var asked []string
		for _, key := range slices.Sorted(maps.Keys(v.Asked)) {
			asked = append(asked, key+"="+v.Asked[key])
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(v.UUID), oneLine(v.Name), oneLine(v.Power), domain,
			oneLine(strings.Join(v.Tags, ",")), oneLine(strings.Join(asked, " ")), oneLine(v.Status))
	}
	return t.Flush()
}

// hookTime limits how long a master that does not answer delays a VM.
const hookTime = 5 * time.Second

// xapiHookAction returns an error only if the VM is not to start. XAPI shows what is
// printed to the user.
func xapiHookAction(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("xapi hook needs the name of a hook")
	}
	ctx, cancel := context.WithTimeout(c.Context, hookTime)
	defer cancel()
	m := toMaster(c)
	defer m.Close()
	err := m.Hook(ctx, api.Hook{Hook: c.Args().First(), UUID: c.String("vmuuid")})
	if errors.Is(err, host.ErrNotAdmitted) {
		fmt.Fprintf(c.App.Writer, "vlibmaster: %s\n", oneLine(err.Error()))
		return err
	}
	if err != nil {
		fmt.Fprintln(c.App.ErrWriter, message(err))
	}
	return nil
}
