// SPDX-License-Identifier: Apache-2.0

package control

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

// patience is how long a master that does not answer is waited for.
const patience = 30 * time.Second

// Client asks a master. What it returns after 30 s without an answer is
// context.DeadlineExceeded.
type Client struct {
	socket string
	http   http.Client
}

// NewClient makes one for the master behind a socket.
func NewClient(socket string) *Client {
	var d net.Dialer
	return &Client{socket, http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
	}}}
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Reserve is the master's. ErrNoMaster: there is none.
func (c *Client) Reserve(ctx context.Context, want api.Reservation) (r api.Reservation, err error) {
	err = c.ask(ctx, "POST", "/v1/reserve", want, &r)
	return r, err
}

// Release is the master's.
func (c *Client) Release(ctx context.Context, domain string) (r api.Reservation, err error) {
	err = c.ask(ctx, "POST", "/v1/release", ended{Domain: domain}, &r)
	return r, err
}

// Unreserve is the master's.
func (c *Client) Unreserve(ctx context.Context, reservation uint32) (r api.Reservation, err error) {
	err = c.ask(ctx, "POST", "/v1/release", ended{Reservation: reservation}, &r)
	return r, err
}

// Try is the master's.
func (c *Client) Try(ctx context.Context, want []api.Reservation) (t api.Trial, err error) {
	err = c.ask(ctx, "POST", "/v1/try", want, &t)
	return t, err
}

// Host says what the master knows of its host.
func (c *Client) Host(ctx context.Context) (h Host, err error) {
	err = c.ask(ctx, "GET", "/v1/host", nil, &h)
	return h, err
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
		var f failure
		if err := d.Decode(&f); err != nil {
			return fmt.Errorf("%s: the master answered %s: %w", c.socket, r.Status, err)
		}
		return f.err()
	}
	return d.Decode(answer)
}

func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w at %s: start it with 'vlibmaster serve'", ErrNoMaster, c.socket)
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
	return fmt.Errorf("%w at %s any more: it ended before it answered: %w", ErrNoMaster, c.socket, err)
}
