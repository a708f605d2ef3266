// SPDX-License-Identifier: Apache-2.0

package vlibos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/receipt"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Options of a domain's channel. The zero value is a sensible default.
type Options struct {
	// Host is where domains are looked for: "xen", "native" (processes of this
	// machine), or "gateway" (what the master lets users other than root call).
	// Default: $VLIBOS_HOST, or Xen where there is one, else native; for users other
	// than root the gateway first.
	Host string
	// Port of the server in the domain; default 1 (vlibcall.DefaultPort).
	Port transport.Port
	// Size of the channel in bytes, a multiple of 4096, into which input and output
	// of a call have to fit. Default 64 KiB (vlibcall.DefaultSize).
	Size int
	// InFlight is how many calls may be in the channel at a time: 1, 2, 4, 8 or 16.
	// Input and output of each have to fit into a part of its size. Further calls
	// wait. Default 1.
	InFlight int
	// Period of this program's work, for servers that serve the shortest period
	// first. 0: none.
	Period time.Duration
	// Timeout of a call whose context has no earlier deadline, its wait behind other
	// calls included, and of Open. 0: none.
	Timeout time.Duration
	// Wait is how calls wait for their answers: they spin for as long as that pays,
	// then sleep, unless it is vlibcall.Block or vlibcall.Spin.
	Wait vlibcall.WaitPolicy
	// Reservation pays for the calls. 0: the one that 'vlibmaster run' started this
	// program on, if it did.
	Reservation transport.Reservation
	// Unpaid means that no reservation pays, even if the program was started on one.
	Unpaid bool

	// RunDir is the master's directory; default $VLIBOS_RUN_DIR, or /run/vlibos.
	RunDir string
	// NativeDir has the native domains; default $VLIBOS_NATIVE_DIR, or
	// /run/vlibos/native.
	NativeDir string
	// NotCounted is told why the calls are not counted for 'vlibmaster top',
	// although a master serves this host. nil: nothing is.
	NotCounted func(error)
}

// Domain is an open channel to the vLib OS of a domain. It is safe for concurrent
// use; the server takes its calls in the order in which they were made.
type Domain struct {
	channel *vlibcall.Channel
	found   *directory.Domain
	all     directory.Directory
	book    *receipt.Book // nil: its calls are not counted
}

// Open opens a channel to the vLib OS of a domain, which ref names: on Xen by its
// number, name or UUID, on a native host by its name. The caller closes it.
func Open(ctx context.Context, ref string) (*Domain, error) { return Options{}.Open(ctx, ref) }

// Open is the function [Open] with options.
func (o Options) Open(ctx context.Context, ref string) (*Domain, error) {
	d := new(Domain)
	if err := d.open(ctx, ref, o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// open leaves what it opened to Close.
func (d *Domain) open(ctx context.Context, ref string, o Options) (err error) {
	channel := vlibcall.Options{Port: o.Port, Size: o.Size, InFlight: o.InFlight, Period: o.Period, Timeout: o.Timeout, Wait: o.Wait, Reservation: o.Reservation}
	if o.Reservation == 0 && !o.Unpaid {
		if channel.Reservation, err = started(); err != nil {
			return err
		}
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	if d.all, err = directory.Open(ctx, directory.Config{
		Host: cmp.Or(o.Host, os.Getenv("VLIBOS_HOST")), NativeDir: o.nativeDir(), GatewayDir: filepath.Join(o.runDir(), filepath.Base(directory.DefaultGatewayDir)),
	}); err != nil {
		return err
	}
	if d.found, err = d.all.Lookup(ctx, ref); err != nil {
		return err
	}
	channel.Peer = "domain " + d.found.String()
	d.count(o, &channel)
	d.channel, err = vlibcall.Open(ctx, d.found, channel)
	return d.explain(err)
}

func (o Options) runDir() string {
	return cmp.Or(o.RunDir, os.Getenv("VLIBOS_RUN_DIR"), api.DefaultRunDir)
}

func (o Options) nativeDir() string { return cmp.Or(o.NativeDir, os.Getenv("VLIBOS_NATIVE_DIR")) }

// count has the calls counted for the master, if this host has one and this user
// may. A call does not fail because it cannot be counted.
func (d *Domain) count(o Options, channel *vlibcall.Options) {
	book, err := receipt.Open(o.runDir())
	switch {
	case err == nil:
		channel.Record = book.Recorder(receipt.Self(), cmp.Or(d.found.UUID, d.found.ID), d.found.Name).Record
		d.book = book
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), o.NotCounted == nil:
	default:
		o.NotCounted(err)
	}
}

// explain adds the domain to an error that does not name it.
func (d *Domain) explain(err error) error {
	named, op := (*directory.Error)(nil), (*vlibcall.OpError)(nil)
	if err == nil || errors.As(err, &named) || errors.As(err, &op) && op.Peer != "" {
		return err
	}
	return fmt.Errorf("domain %s: %w", d.found, err)
}

// String is how messages name the domain: its number on Xen, and its name.
func (d *Domain) String() string { return d.found.String() }

// Channel returns the channel under the domain, for operations that Domain lacks.
func (d *Domain) Channel() *vlibcall.Channel { return d.channel }

// Close ends the channel. Calls under way return os.ErrClosed, and Close waits for
// them. Idempotent.
func (d *Domain) Close() error {
	var errs []error
	if d.channel != nil {
		errs = append(errs, d.channel.Close())
	}
	if d.found != nil {
		errs = append(errs, d.found.Close())
	}
	if d.book != nil {
		errs = append(errs, d.book.Close())
	}
	if d.all != nil {
		errs = append(errs, d.all.Close())
	}
	return errors.Join(errs...)
}
