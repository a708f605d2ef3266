// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/internal/cliflag"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// callOptions is a command line of call, read.
type callOptions struct {
	domain, library, function string
	args                      []string

	signature string
	timeout   time.Duration // 0: none
	size      int           // 0: what the call needs
	port      transport.Port
	wait      vlibcall.WaitPolicy
	payer     transport.Reservation // 0: none
	repeat    int
	receipt   bool
	json      bool
	out       []string
	stdin     bool
	env       []string
}

const defaultTimeout = 30 * time.Second

func portFlag(category string) cli.Flag {
	return &cli.Uint64Flag{Category: category, Name: "port", Value: uint64(vlibcall.DefaultPort), Usage: "`NUMBER` of the server in the domain"}
}

func jsonFlag(category string) cli.Flag {
	return &cli.BoolFlag{Category: category, Name: "json", Usage: "print one line of JSON"}
}

func timeoutFlag(category string, value time.Duration) cli.Flag {
	return &cliflag.Duration{Category: category, Name: "timeout", Value: value, Usage: "how long the answer may take, for example 500ms or 2m; 0: no limit"}
}

func callCommand() *cli.Command {
	const wait, result, input = "the call", "the answer", "the input"
	return &cli.Command{
		Name:        "call",
		Usage:       "call a function of a library in a domain",
		ArgsUsage:   "DOMAIN LIBRARY FUNCTION [ARG…]",
		Description: callDescription + exitTable(),
		Flags: []cli.Flag{
			&cli.StringFlag{Category: input, Name: "sig", Usage: "the function's `SIGNATURE`, for example 'f64(f64)'"},
			&cli.BoolFlag{Category: input, Name: "stdin", Aliases: []string{"i"}, Usage: "give standard input to the command of vlib run"},
			&cli.StringSliceFlag{Category: input, Name: "env", Usage: "`NAME=VALUE` for the command of vlib run; may be repeated"},
			timeoutFlag(wait, defaultTimeout),
			portFlag(wait),
			&cli.StringFlag{Category: wait, Name: "size", Usage: "`BYTES` of the channel, with k or m if you like; rounded up to a multiple of 4k, at least 8k (default: what the call needs)"},
			&cli.StringFlag{Category: wait, Name: "wait", Value: vlibcall.SpinThenBlock.String(), Usage: "`HOW` to wait for the answer: block, spin, spin-then-block, or block-cpu (block, and without Linux' wake-up where the module charges the call)"},
			reservationFlag(wait),
			&cli.IntFlag{Category: wait, Name: "repeat", Value: 1, Usage: "make the call `N` times and show the distribution of latencies"},
			jsonFlag(result),
			&cli.BoolFlag{Category: result, Name: "receipt", Usage: "show what the call (with --repeat: the last one) cost, on standard error"},
			runDirFlag(),
			&cli.StringSliceFlag{Category: result, Name: "out", Usage: "save the first io or out argument (or what a call without --sig returned) in `FILE`; repeated: the next one; - is standard output"},
		},
		Action: callAction,
	}
}

func readCall(c *cli.Context) (*callOptions, error) {
	words := c.Args().Slice()
	if len(words) < 3 {
		return nil, usagef("call needs DOMAIN, LIBRARY and FUNCTION: see vlibmaster call --help")
	}
	o := &callOptions{
		domain: words[0], library: words[1], function: words[2], args: words[3:],
		signature: c.String("sig"), timeout: c.Duration("timeout"), repeat: c.Int("repeat"),
		receipt: c.Bool("receipt"), json: c.Bool("json"), out: c.StringSlice("out"), stdin: c.Bool("stdin"), env: c.StringSlice("env"),
	}
	var err error
	if o.port, err = readPort(c); err != nil {
		return nil, err
	}
	if o.payer, err = readReservation(c); err != nil {
		return nil, err
	}
	if o.wait, err = readWait(c.String("wait")); err != nil {
		return nil, err
	}
	if text := c.String("size"); text != "" {
		if o.size, err = readSize(text); err != nil {
			return nil, err
		}
	}
	switch {
	case c.IsSet("sig") && o.signature == "":
		return nil, argument(fmt.Errorf("--sig is empty: want for example 'f64(f64)'"))
	case o.timeout < 0:
		return nil, usagef("--timeout %v: want a positive duration, or 0 for none", o.timeout)
	case o.repeat < 1:
		return nil, usagef("--repeat %d: want at least 1", o.repeat)
	case o.signature != "" && o.library == builtin.Library:
		return nil, usagef("library %s takes no --sig: its functions take bytes", builtin.Library)
	case len(o.env) > 0 && (o.library != builtin.Library || o.function != builtin.Run):
		return nil, usagef("--env is for %s %s", builtin.Library, builtin.Run)
	case o.json && slices.Contains(o.out, "-"):
		return nil, usagef("--json and --out - both want standard output")
	}
	return o, nil
}

func readPort(c *cli.Context) (transport.Port, error) {
	port := c.Uint64("port")
	if port == 0 || port > math.MaxUint32 {
		return 0, usagef("--port %d: want 1 to %d", port, uint32(math.MaxUint32))
	}
	return transport.Port(port), nil
}

func reservationFlag(category string) cli.Flag {
	return &cli.Uint64Flag{Category: category, Name: "reservation", EnvVars: []string{vlibos.Environment}, Usage: "`NUMBER` of the reservation that pays for what the domain executes (0: none)"}
}

func readReservation(c *cli.Context) (transport.Reservation, error) {
	id := c.Uint64("reservation")
	if id > math.MaxUint32 {
		return 0, usagef("--reservation %d: want at most %d", id, uint32(math.MaxUint32))
	}
	return transport.Reservation(id), nil
}

var waitPolicies = []vlibcall.WaitPolicy{vlibcall.Block, vlibcall.Spin, vlibcall.SpinThenBlock, vlibcall.BlockCPU}

// waits are the values of --wait.
func waits() (all []string) {
	for _, p := range waitPolicies {
		all = append(all, p.String())
	}
	return all
}

func readWait(text string) (vlibcall.WaitPolicy, error) {
	for _, p := range waitPolicies {
		if p.String() == text {
			return p, nil
		}
	}
	return 0, usagef("--wait %q: want one of %s", text, strings.Join(waits(), ", "))
}

// readSize rounds up to what a channel can have.
func readSize(text string) (int, error) {
	digits, unit := text, uint64(1)
	if d, ok := strings.CutSuffix(text, "k"); ok {
		digits, unit = d, 1<<10
	} else if d, ok := strings.CutSuffix(text, "m"); ok {
		digits, unit = d, 1<<20
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 || n*unit > transport.MaxSize {
		return 0, usagef("--size %q: want bytes, at most %d, for example 65536, 64k or 1m", text, transport.MaxSize)
	}
	const page = transport.HeaderSize
	return max(int(n*unit+page-1)&^(page-1), 2*page), nil
}
