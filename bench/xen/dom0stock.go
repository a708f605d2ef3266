// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
)

// Dom0Stock runs in Dom0. It starts a vlibmaster that does not use the module,
// measures all rows, and writes the Samples as one JSON object.
func Dom0Stock(ctx context.Context, out io.Writer) (err error) {
	h, err := xenctl.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	dir, err := os.MkdirTemp("", "stock-")
	if err != nil {
		return err
	}
	master := exec.CommandContext(ctx, "vlibmaster", "--host", "stock", "serve", "--run-dir", dir)
	master.Stderr = os.Stderr
	master.Cancel = func() error { return master.Process.Signal(os.Interrupt) }
	if err := master.Start(); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, master.Process.Signal(os.Interrupt), master.Wait(), os.RemoveAll(dir))
	}()
	c := client.New(filepath.Join(dir, api.SocketName))
	defer c.Close()
	if err := serves(ctx, c); err != nil {
		return err
	}
	stop, err := spin(ctx, h, measured)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	s, beside := make(Samples), false
	for _, row := range stockRows {
		if row.beside && !beside {
			stop, err := spin(ctx, h, firstSpins)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stop()) }()
			beside = true
		}
		foreground, background, err := stockShare(ctx, c, rtsched.Task{Budget: row.budget, Period: row.period})
		if err != nil {
			return fmt.Errorf("%v in %v: %w", row.budget, row.period, err)
		}
		s[sampleForeground] = append(s[sampleForeground], foreground)
		s[sampleBackground] = append(s[sampleBackground], background)
	}
	return json.NewEncoder(out).Encode(s)
}

// serves waits until a master answers.
func serves(ctx context.Context, c *client.Client) error {
	for range 100 {
		_, err := c.Host(ctx)
		if err == nil || !errors.Is(err, api.ErrNoMaster) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return api.ErrNoMaster
}

// stockShare is what the measured domain has with that reservation, in per cent
// of the time.
func stockShare(ctx context.Context, c *client.Client, task rtsched.Task) (foreground, background float64, err error) {
	domain := strconv.Itoa(measured)
	made, err := c.Reserve(ctx, api.Reservation{Reservation: host.Domain{Name: domain}.On(task)})
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		_, failed := c.Release(ctx, domain)
		err = errors.Join(err, failed)
	}()
	time.Sleep(time.Second)
	before, from, err := usage(ctx, c, made.ID)
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(stockWindow)
	after, until, err := usage(ctx, c, made.ID)
	per := func(used time.Duration) float64 { return 100 * float64(used) / float64(until.Sub(from)) }
	return per(after.Foreground - before.Foreground), per(after.Background - before.Background), err
}

func usage(ctx context.Context, c *client.Client, id uint32) (u host.Usage, at time.Time, err error) {
	h, err := c.Host(ctx)
	if err != nil {
		return u, at, err
	}
	for _, r := range h.Reservations {
		if r.ID == id && r.Problem == "" {
			return r.Usage, time.Now(), nil
		}
	}
	return u, at, fmt.Errorf("reservation %d is not kept: %+v", id, h.Reservations)
}
