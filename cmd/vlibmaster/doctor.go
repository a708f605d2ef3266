// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/doctor"
)

// doctorLimit limits the wait for a xenstored that does not answer.
const doctorLimit = 10 * time.Second

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "examine what this host offers for calls, and name what is missing",
		Description: fmt.Sprintf(`Examines the host, Xen's version and capabilities, devices, xenstore, permissions,
the master that serves or would serve, and the domains with a vLib OS server. Each
missing part is shown with the command that provides it. Nothing is changed.

   ok       present
   note     absent, and calls work without it
   missing  absent, and calls do not work without it
   denied   calls do not work for this user

Exit codes: %d calls are possible (also while no server runs), %d this user may not
call, %d something is missing.`, exitOK.code, exitDenied.code, exitNoXen.code),
		Flags:  []cli.Flag{jsonFlag(""), runDirFlag()},
		Action: doctorAction,
	}
}

type doctorJSON struct {
	Possible bool             `json:"possible"`
	Findings []doctor.Finding `json:"findings"`
	Facts    doctor.Facts     `json:"facts"`
}

func doctorAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	cfg, err := chosen(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, doctorLimit)
	defer cancel()
	m := toMaster(c)
	defer m.Close()
	facts := doctor.Examine(ctx, cfg, m)
	findings := facts.Findings()
	err = verdict(facts.Host, doctor.Verdict(findings))
	if c.Bool("json") {
		if jerr := joinObjects(c.App.Writer, doctorJSON{err == nil, findings, facts}); jerr != nil {
			return jerr
		}
		return reported(err)
	}
	if perr := printFindings(c.App.Writer, facts.Host, findings); perr != nil {
		return perr
	}
	return err
}

func verdict(host string, worst doctor.Level) error {
	err := &directory.Error{Target: "host " + host, Hint: "the findings above say what to do"}
	switch worst {
	case doctor.Missing:
		err.Err = fmt.Errorf("calls are not possible: %w", errIncomplete)
	case doctor.Denied:
		err.Err = fmt.Errorf("calls are not possible: %w", fs.ErrPermission)
	default:
		return nil
	}
	return err
}

func printFindings(w io.Writer, host string, findings []doctor.Finding) error {
	if _, err := fmt.Fprintf(w, "host %s\n", host); err != nil {
		return err
	}
	for _, f := range findings {
		if _, err := fmt.Fprintf(w, "%-8s %-9s %s\n", f.Level, f.Name, oneLine(f.Text)); err != nil {
			return err
		}
		if f.Remedy == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-8s %-9s -> %s\n", "", "", oneLine(f.Remedy)); err != nil {
			return err
		}
	}
	return nil
}
