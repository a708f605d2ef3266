// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/host"
)

type receiptJSON struct {
	WallNS int64     `json:"wall_ns"`
	Cost   *costJSON `json:"cost"` // null: no reservation paid, or the host does not say
}

type costJSON struct {
	QueuedNS     int64  `json:"queued_ns"`
	ForegroundNS int64  `json:"foreground_ns"`
	BackgroundNS int64  `json:"background_ns"`
	ThrottledNS  int64  `json:"throttled_ns"`
	Deschedules  uint64 `json:"deschedules"`
	// null: not known
	Occupied *uint64 `json:"occupied_bytes"`
	Moved    *uint64 `json:"moved_bytes"`
}

func (r *outcome) withReceipt(objects []any, o *callOptions) []any {
	if r == nil || !o.receipt || r.series.receipt == nil {
		return objects
	}
	j := receiptJSON{WallNS: int64(r.series.receipt.Wall)}
	if c := r.series.receipt.Cost; c != nil {
		j.Cost = &costJSON{int64(c.Queued), int64(c.Foreground), int64(c.Background), int64(c.Throttled), c.Deschedules,
			counted(c.Occupied, c.OccupiedKnown), counted(c.Moved, c.MovedKnown)}
	}
	return append(objects, struct {
		Receipt receiptJSON `json:"receipt"`
	}{j})
}

func counted(bytes uint64, is bool) *uint64 {
	if !is {
		return nil
	}
	return &bytes
}

func (r *outcome) printReceipt(w io.Writer, o *callOptions) error {
	if r == nil || !o.receipt || r.series.receipt == nil {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "wall\t%v\tfrom the question to the answer, as the caller saw it\n", short(r.series.receipt.Wall))
	if c := r.series.receipt.Cost; c != nil {
		fmt.Fprintf(t, "queued\t%v\tbefore the domain began\n", short(c.Queued))
		fmt.Fprintf(t, "foreground\t%v\tCPU time on the budget\n", short(c.Foreground))
		fmt.Fprintf(t, "background\t%v\tCPU time beyond it\n", short(c.Background))
		fmt.Fprintf(t, "throttled\t%v\tit could have run in background, and the throttle stopped it\n", short(c.Throttled))
		fmt.Fprintf(t, "deschedules\t%d\ttaken off a CPU while it wanted to run\n", c.Deschedules)
		if c.OccupiedKnown {
			fmt.Fprintf(t, "fills\t%s\tof the third-level cache, at its end\n", host.Bytes(float64(c.Occupied)))
		}
		if c.MovedKnown {
			fmt.Fprintf(t, "moves\t%s\tbetween that cache and memory\n", host.Bytes(float64(c.Moved)))
		}
	} else {
		fmt.Fprintf(t, "cost\tunknown\tno reservation paid (--reservation), or the host does not say\n")
	}
	return t.Flush()
}

// fail reports a call that ended with an error; it has a receipt all the same.
func (r *outcome) fail(c *cli.Context, o *callOptions, err error) error {
	if o.json {
		if jerr := joinObjects(c.App.Writer, r.withReceipt([]any{failureOf(err)}, o)...); jerr != nil {
			return fmt.Errorf("%w (and standard output: %w)", err, jerr)
		}
		return reported(err)
	}
	if perr := r.printReceipt(c.App.ErrWriter, o); perr != nil {
		return fmt.Errorf("%w (and standard error: %w)", err, perr)
	}
	return err
}
