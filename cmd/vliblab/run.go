// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/internal/cliflag"
	"github.com/vlibos/vlibos/internal/statusline"
	"github.com/vlibos/vlibos/lab"
)

func runCommand() *cli.Command {
	flags := append(machineFlags(),
		&cliflag.Duration{Category: "time and output", Name: "timeout", Value: defaultTimeout, Usage: "limit of the time from power-on until the command's end; 0 for none"},
		&cli.BoolFlag{Category: "time and output", Name: "json", Usage: "print one line of JSON after the command's output, as the last line of stdout"},
		&cli.BoolFlag{Category: "files", Name: "stdin", Aliases: []string{"i"}, Usage: "pass standard input to the command"},
	)
	return &cli.Command{
		Name:      "run",
		Usage:     "boot, run a command in Dom0, and exit with its status",
		ArgsUsage: "-- CMD [ARG…]",
		Flags:     flags,
		Action:    runAction,
	}
}

func runAction(c *cli.Context) error {
	if !c.Args().Present() {
		return usagef("no command to run in Dom0: vliblab run [flags] -- CMD [ARG…]")
	}
	cfg, err := config(c)
	if err != nil {
		return err
	}
	out := &lineEnd{Writer: c.App.Writer}
	cfg.Stdout, cfg.Stderr = out, c.App.ErrWriter
	if cfg.Timeout = c.Duration("timeout"); cfg.Timeout < 0 {
		return usagef("--timeout %v: want a positive time, or 0 for none", cfg.Timeout)
	}
	if c.Bool("stdin") {
		cfg.Stdin = c.App.Reader
	}
	result, err := boot(c, cfg)
	if c.Bool("json") {
		if jerr := printResult(out, result, err); jerr != nil {
			return jerr
		}
	}
	if err == nil && result.Status != 0 {
		err = commandStatus(result.Status)
	}
	return err
}

// boot runs the lab and shows the progress.
func boot(c *cli.Context, cfg lab.Config) (lab.Result, error) {
	verbose := c.Bool("verbose")
	p := newProgress(c.App.ErrWriter, c.Bool("quiet"), verbose)
	defer p.Close()
	if verbose {
		cfg.Console = c.App.ErrWriter
	}
	cfg.SetupLog, cfg.Progress, cfg.Notes = p, p.set, statusline.Stages(p.note)
	if _, err := lab.Hypervisor(c.Context, cfg.Release, cfg.Xen, false, p); err != nil {
		return lab.Result{}, err
	}
	p.restart()
	result, err := lab.Run(c.Context, cfg)
	if err == nil {
		io.WriteString(c.App.ErrWriter, lab.ReportLogs(result.Logs))
	}
	return result, err
}

// report is what --json prints. Status is the exit status of vliblab itself.
type report struct {
	Status       int          `json:"status"`
	Error        string       `json:"error,omitempty"`
	BootSeconds  float64      `json:"boot_seconds"`
	TotalSeconds float64      `json:"total_seconds"`
	Versions     lab.Versions `json:"versions"`
}

func printResult(out *lineEnd, result lab.Result, err error) error {
	r := report{
		Status: result.Status, BootSeconds: result.Boot.Seconds(), TotalSeconds: result.Total.Seconds(), Versions: result.Versions,
	}
	if err != nil {
		r.Status, r.Error = status(err), err.Error()
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if out.open {
		data = append([]byte{'\n'}, data...)
	}
	_, err = fmt.Fprintf(out, "%s\n", data)
	return err
}

// lineEnd records whether the last written line has no end yet.
type lineEnd struct {
	io.Writer
	open bool
}

func (l *lineEnd) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.open = p[len(p)-1] != '\n'
	}
	return l.Writer.Write(p)
}
