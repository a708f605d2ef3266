// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

func servicesCommand() *cli.Command {
	return &cli.Command{
		Name:      "services",
		Usage:     "list what the vLib OS in a domain serves",
		ArgsUsage: "DOMAIN",
		Description: `Asks the server in DOMAIN for its built-in functions, for the libraries of the
guest that it calls, and for its limits.

   vlibmaster services 1
   vlibmaster services --json web | jq .limits

--host and --native-dir: see vlibmaster --help.`,
		Flags: []cli.Flag{
			portFlag(""),
			timeoutFlag("", 10*time.Second),
			reservationFlag(""),
			jsonFlag(""), runDirFlag(),
		},
		Action: servicesAction,
	}
}

func servicesAction(c *cli.Context) error {
	asked := c.Bool("json")
	domain, info, err := askServices(c)
	if err != nil {
		return err
	}
	if asked {
		return joinObjects(c.App.Writer, struct {
			Domain string `json:"domain"`
		}{domain}, info)
	}
	return printServices(c.App.Writer, domain, info)
}

// servicesSize is room for a list of some thousand names.
const servicesSize = 256 << 10

func askServices(c *cli.Context) (domain string, info *builtin.Info, err error) {
	ref, err := oneDomain(c)
	if err != nil {
		return "", nil, err
	}
	port, err := readPort(c)
	if err != nil {
		return "", nil, err
	}
	limit := c.Duration("timeout")
	if limit < 0 {
		return "", nil, usagef("--timeout %v: want a positive duration, or 0 for none", limit)
	}
	payer, err := readReservation(c)
	if err != nil {
		return "", nil, err
	}
	d, err := openDomain(c, ref, vlibos.Options{Port: port, Size: servicesSize, Timeout: limit, Reservation: payer})
	if err != nil {
		return "", nil, err
	}
	defer d.Close() // the answer is here, or a worse error
	b, err := d.Call(c.Context, builtin.Library, builtin.Services, nil)
	if err != nil {
		return "", nil, err
	}
	info = new(builtin.Info)
	if err := info.Decode(b); err != nil {
		return "", nil, explain(d, protocolViolation(err))
	}
	return d.String(), info, nil
}

func printServices(w io.Writer, domain string, i *builtin.Info) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("domain", "%s, port %d", domain, i.Port)
	row("server", "%s %s, channel revision %d, transport %s", i.Name, i.Version, i.Revision, i.Transport)
	for n, f := range i.Functions {
		name := ""
		if n == 0 {
			name = "functions"
		}
		row(name, "%s %s", f.Library, f.Function)
	}
	row("libraries", "%s", libraries(i.Libraries))
	row("worker", "%s", worker(i.Worker))
	row("limits", "%v a call, %d bytes of output of a command, %d bytes of request and result of a library call, %d idle workers",
		time.Duration(i.Limits.MaxRunTimeMS)*time.Millisecond, i.Limits.MaxOutput, i.Limits.WorkerSize, i.Limits.MaxWorkers)
	return t.Flush()
}

func libraries(l builtin.Libraries) string {
	var parts []string
	switch {
	case l.AnySoname:
		parts = append(parts, "any that the guest's dynamic linker finds, by soname (libm.so.6)")
	case len(l.Sonames) > 0:
		parts = append(parts, strings.Join(l.Sonames, ", "))
	}
	if len(l.Directories) > 0 {
		parts = append(parts, "files in "+strings.Join(l.Directories, ", ")+", by path")
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}

func worker(w builtin.Worker) string {
	switch {
	case w.Problem != "":
		return w.Problem
	case len(w.Running) > 0:
		return w.Path + ", running for " + strings.Join(w.Running, ", ")
	}
	return w.Path
}
