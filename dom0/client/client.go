// SPDX-License-Identifier: Apache-2.0

// Package client asks a running master: for reservations, and how its host is. It
// is light: it contains nothing of the master, which package dom0/control has.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/unixpath"
)

// patience is how long a client waits for the master's answer.
const patience = 30 * time.Second

// Client asks a master. Without an answer in 30 s a method returns
// context.DeadlineExceeded, without a master api.ErrNoMaster. It is safe for
// concurrent use.
type Client struct {
	socket string
	http   http.Client
}

// New makes a client of the master behind a socket, without asking it yet.
func New(socket string) *Client {
	var d net.Dialer
	return &Client{socket, http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
	}}}
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Reserve makes a reservation, or changes that of a domain. The answer has its
// number. Errors: host.ErrNotAdmitted with the largest budget that would fit,
// host.ErrNoDomain, host.ErrNoMembers, host.ErrNotHere, rtsched.ErrRange.
func (c *Client) Reserve(ctx context.Context, want api.Reservation) (r api.Reservation, err error) {
	err = c.ask(ctx, "POST", api.PathReserve, want, &r)
	return r, err
}

// Release ends the reservation that a domain holds, and returns it.
// api.ErrNotAdopted: it holds none.
func (c *Client) Release(ctx context.Context, domain string) (r api.Reservation, err error) {
	err = c.ask(ctx, "POST", api.PathRelease, api.Ended{Domain: domain}, &r)
	return r, err
}

// Unreserve ends the reservation with a number, and returns it.
// api.ErrNotReserved: there is none.
func (c *Client) Unreserve(ctx context.Context, reservation uint32) (r api.Reservation, err error) {
	err = c.ask(ctx, "POST", api.PathRelease, api.Ended{Reservation: reservation}, &r)
	return r, err
}

// Try says whether reservations would fit, without making them; Reserve's errors.
func (c *Client) Try(ctx context.Context, want []api.Reservation) (t api.Trial, err error) {
	err = c.ask(ctx, "POST", api.PathTry, want, &t)
	return t, err
}

// Host says what the master knows of its host.
func (c *Client) Host(ctx context.Context) (h api.Host, err error) {
	err = c.ask(ctx, "GET", api.PathHost, nil, &h)
	return h, err
}

// All is Host with all domains of the host, on a reservation or not.
func (c *Client) All(ctx context.Context) (h api.Host, err error) {
	err = c.ask(ctx, "GET", api.PathHost+"?"+api.QueryDomains, nil, &h)
	return h, err
}

// Describe says all that is known of a domain, given by number, name or UUID.
// host.ErrNoDomain: there is none, and none is waited for.
func (c *Client) Describe(ctx context.Context, domain string) (d api.Description, err error) {
	err = c.ask(ctx, "GET", api.PathDescribe+"?"+url.Values{api.QueryDomain: {domain}}.Encode(), nil, &d)
	return d, err
}

// Caches says how caches are shared out, and what domains use of them.
func (c *Client) Caches(ctx context.Context) (all api.Caches, err error) {
	err = c.ask(ctx, "GET", api.PathCaches, nil, &all)
	return all, err
}

// Calls says what calls cost, by domain, function and caller.
func (c *Client) Calls(ctx context.Context) (all api.Calls, err error) {
	err = c.ask(ctx, "GET", api.PathCalls, nil, &all)
	return all, err
}

// XAPI says what the master knows of XAPI.
func (c *Client) XAPI(ctx context.Context) (x api.XAPI, err error) {
	err = c.ask(ctx, "GET", api.PathXAPI, nil, &x)
	return x, err
}

// Hook tells the master of a hook that XAPI runs. host.ErrNotAdmitted: the VM is not to
// start.
func (c *Client) Hook(ctx context.Context, h api.Hook) error {
	return c.ask(ctx, "POST", api.PathHook, h, &struct{}{})
}

func (c *Client) ask(ctx context.Context, method, path string, question, answer any) error {
	if err := unixpath.Check(c.socket); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	hr, err := http.NewRequestWithContext(ctx, method, "http://vlibmaster"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r, err := c.http.Do(hr)
	if err != nil {
		return c.explain(err)
	}
	defer r.Body.Close()
	d := json.NewDecoder(r.Body)
	if r.StatusCode != http.StatusOK {
		var f api.Failure
		if err := d.Decode(&f); err != nil {
			return fmt.Errorf("%s: the master answered %s: %w", c.socket, r.Status, err)
		}
		return f.Err()
	}
	return d.Decode(answer)
}

func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w at %s: start it with 'vlibmaster serve'", api.ErrNoMaster, c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: run as root", c.socket, fs.ErrPermission)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: the master does not answer: %w: systemctl status vlibmaster says what it does", c.socket, context.DeadlineExceeded)
	}
	var u *url.Error // has an address that is none of the operator's
	if errors.As(err, &u) {
		err = u.Err
	}
	// What else is wrong with a connection that there is, is that it ended.
	var o *net.OpError
	if errors.Is(err, context.Canceled) || errors.As(err, &o) && o.Op == "dial" {
		return fmt.Errorf("%s: %w", c.socket, err)
	}
	return fmt.Errorf("%w at %s any more: it ended before it answered: %w", api.ErrNoMaster, c.socket, err)
}
