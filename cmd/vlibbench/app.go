// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
)

const description = `Each experiment appends its results to a file, one JSON object a line, and
prints each result at once. A missed target is printed and is no failure.

   vlibbench run       the experiments of 'vlibmaster bench': on this machine, in real time
   vlibbench native    calls between two processes of this machine, which run has as well
   vlibbench throttle  a program beside a domain that streams through memory, in real time
   vlibbench lab       calls into a DomU on real Xen, in instructions
   vlibbench profile   where the instructions of such a call go, by function
   vlibbench module    the module in Xen and its scheduler, in instructions
   vlibbench stock     budgets on an unmodified Xen, by scheduler and period, on real Xen
   vlibbench mjump     a real-time task beside a memory-bound vLib OS, on a modelled memory bus
   vlibbench simulate  a recorded memcached beside batch jobs, on a simulated memory bus
   vlibbench scale     what many idle domains cost the daemon, on this machine
   vlibbench decision  the decision alone, in instructions, from stdin
   vlibbench table     the latest result of each name, with target and raw numbers
   vlibbench report    the same as a page with figures, with what the paper says`

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	return newApp(stdin, stdout, stderr).RunContext(ctx, args)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:                 "vlibbench",
		Usage:                "this project's experiments and their table",
		Description:          description,
		Reader:               stdin,
		Writer:               stdout,
		ErrWriter:            stderr,
		HideVersion:          true,
		EnableBashCompletion: true,
		ExitErrHandler:       func(*cli.Context, error) {},
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Value: "out/bench.jsonl", Usage: "append results to this `FILE`"},
		},
		Commands: slices.Concat(experimentCommands(), nativeCommands(), throttleCommands(), labCommands(), moduleCommands(), stockCommands(), mjumpCommands(), simulateCommands(), scaleCommands(), []*cli.Command{tableCommand()}),
	}
}

func tableCommand() *cli.Command {
	return &cli.Command{
		Name:  "table",
		Usage: "print the latest result of each name",
		Action: func(c *cli.Context) error {
			records, err := bench.Read(c.String("out"))
			if err != nil {
				return err
			}
			return bench.Table(c.App.Writer, records)
		},
	}
}

// keep returns a function that appends a record to the file and prints it.
func keep(c *cli.Context) func(bench.Record) error {
	return func(r bench.Record) error {
		if err := bench.Append(c.String("out"), r); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.App.Writer, "%-28s %8.3g %s\n", r.Name, r.Value, r.Unit+" "+r.Conclusion())
		return err
	}
}

// keepAll returns a function that keeps all records and passes the error on: a failed
// experiment has the records of what it measured before.
func keepAll(c *cli.Context) func([]bench.Record, error) error {
	return func(records []bench.Record, err error) error {
		for _, r := range records {
			err = errors.Join(err, keep(c)(r))
		}
		return err
	}
}
