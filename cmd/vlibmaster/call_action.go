// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

func callAction(c *cli.Context) error {
	o, err := readCall(c)
	if err != nil {
		return err
	}
	f, err := formOf(o, c.App.Reader)
	if err == nil && len(o.out) > f.buffers() {
		err = usagef("%d times --out, but %d outputs to save", len(o.out), f.buffers())
	}
	if err != nil {
		return err
	}
	r, err := makeCall(c, o, f)
	if err == nil {
		err = save(o.out, r.answer.buffers, c.App.Writer)
	}
	if err != nil {
		return r.fail(c, o, err)
	}
	return r.print(c, o)
}

// outcome is a call, or a series of them, that was answered.
type outcome struct {
	domain string
	opened time.Duration // setting up the channel
	size   int
	answer answer // of the last call
	series *series
}

// makeCall opens a channel, calls, and closes it. With an error there is an
// outcome if a call was made.
func makeCall(c *cli.Context, o *callOptions, f form) (r *outcome, err error) {
	size := o.size
	if size == 0 {
		size = channelSize(o, f)
	}
	start := time.Now()
	d, err := openDomain(c, o.domain, vlibos.Options{Port: o.port, Size: size, Wait: o.wait, Timeout: o.timeout, Reservation: o.payer})
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := d.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close the channel: %w", cerr)
		}
	}()
	r = &outcome{domain: d.String(), opened: time.Since(start), size: size, series: newSeries()}
	output, err := r.series.run(c.Context, d.Channel(), o, f)
	if err == nil {
		r.answer, err = f.answer(output)
	}
	if err != nil {
		return r, explain(d, err)
	}
	r.answer.failed = explain(d, r.answer.failed)
	return r, nil
}

type callJSON struct {
	Domain   string         `json:"domain"`
	Port     transport.Port `json:"port"`
	Library  string         `json:"library"`
	Function string         `json:"function"`
	WallNS   int64          `json:"wall_ns"`
	OpenNS   int64          `json:"open_ns"`
	Size     int            `json:"channel_size"`
}

func (r *outcome) print(c *cli.Context, o *callOptions) error {
	stdout, stderr := c.App.Writer, c.App.ErrWriter
	if o.json {
		return r.printJSON(stdout, o)
	}
	text := stdout
	if slices.Contains(o.out, "-") {
		text = stderr // standard output has the content, and only that
	}
	if err := r.answer.show(text, stderr, len(o.out)); err != nil {
		return err
	}
	if err := r.printReceipt(stderr, o); err != nil {
		return err
	}
	if o.repeat > 1 {
		// Bytes that were written as they are need not end a line.
		if b := r.answer.buffers; o.signature == "" && len(o.out) == 0 && !bytes.HasSuffix(b[0], []byte("\n")) {
			fmt.Fprintln(text) // if this fails, so does what follows
		}
		if err := r.series.print(text, o.wait); err != nil {
			return err
		}
	}
	return r.answer.failed
}

func (r *outcome) printJSON(stdout io.Writer, o *callOptions) error {
	objects := []any{
		callJSON{r.domain, o.port, o.library, o.function, r.series.last.Nanoseconds(), r.opened.Nanoseconds(), r.size},
		r.answer.fields,
	}
	if o.repeat > 1 {
		objects = append(objects, r.series.fields(o.wait))
	}
	objects = r.withReceipt(objects, o)
	if r.answer.failed != nil {
		objects = append(objects, failureOf(r.answer.failed))
	}
	if err := joinObjects(stdout, objects...); err != nil {
		return err
	}
	return reported(r.answer.failed)
}

// interruptible lets ctx end calls on ch that were given no context of their
// own: one that can be cancelled costs each call a registration. stop waits
// until that is over.
func interruptible(ctx context.Context, ch *vlibcall.Channel) (stop func()) {
	closed := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(closed)
		ch.Close() // the opener closes it again and gets the error
	})
	return func() {
		if !cancel() {
			<-closed
		}
	}
}
