// SPDX-License-Identifier: Apache-2.0

package xapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// DefaultSocket is XAPI's socket in Dom0. Every caller there is root.
const DefaultSocket = "/var/lib/xcp/xapi"

// patience is how long a call may take, besides event.from.
const patience = 20 * time.Second

// Options say where XAPI is.
type Options struct {
	Address string // a socket's path, or https://HOST[:PORT]; empty: DefaultSocket
	// Certificate is a file with the certificate that the host has, or that has
	// signed the host's, as PEM. It is only for https, and there required. It is read
	// again for each new connection: the host may have another by then.
	Certificate    string
	User, Password string // ignored on the socket
	// Originator is the name of this client: XAPI ends its oldest session when
	// there are 500 with this name.
	Originator string
}

// Client calls XAPI. It logs in when a call needs it, and again when XAPI no
// longer knows the session. It is safe for concurrent use.
type Client struct {
	Options
	url  string
	http http.Client

	mu      sync.Mutex
	session string // empty: none
}

// New makes a client, without calling yet.
func New(o Options) (*Client, error) {
	if o.Address == "" {
		o.Address = DefaultSocket
	}
	t := &http.Transport{MaxIdleConns: 4, ResponseHeaderTimeout: eventWait + patience, MaxResponseHeaderBytes: 64 << 10}
	c := &Client{Options: o, url: "http://localhost/jsonrpc"}
	if strings.HasPrefix(o.Address, "https://") {
		if _, err := o.roots(); err != nil {
			return nil, err
		}
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			roots, err := o.roots()
			if err != nil {
				return nil, err
			}
			d := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
			return d.DialContext(ctx, network, address)
		}
		c.url = strings.TrimRight(o.Address, "/") + "/jsonrpc"
	} else {
		var d net.Dialer
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", o.Address)
		}
	}
	// A redirection would lead to a host whose certificate is another.
	c.http = http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// roots are the certificates that the host's is compared with.
func (o Options) roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(o.Certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate of XAPI: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificate of XAPI: %s has no certificate in PEM", o.Certificate)
	}
	return roots, nil
}

// Close ends the session, if XAPI still answers, and the connections.
func (c *Client) Close() {
	if s := c.forget(""); s != "" {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.post(ctx, "session.logout", discard, s) // it also ends by itself
	}
	c.http.CloseIdleConnections()
}

// Call calls a method with the session and arguments. It decodes the result, where
// XAPI's NaN and Infinity are null, unless result is nil. Errors are *OpError; what
// XAPI refuses is an *Error.
func (c *Client) Call(ctx context.Context, method string, result any, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	into := discard
	if result != nil {
		into = func(_ *body, d *json.Decoder) error { return d.Decode(result) }
	}
	for again := false; ; again = true {
		s, err := c.login(ctx)
		if err != nil {
			return err
		}
		err = c.post(ctx, method, into, append([]any{s}, args...)...)
		if !errors.Is(err, SessionInvalid) || again {
			return err
		}
		c.forget(s)
	}
}

func discard(_ *body, d *json.Decoder) error { return d.Decode(new(json.RawMessage)) }

// login returns the session.
func (c *Client) login(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != "" {
		return c.session, nil
	}
	var s string
	err := c.post(ctx, "session.login_with_password", func(_ *body, d *json.Decoder) error { return d.Decode(&s) }, c.User, c.Password, "1.0", c.Originator)
	if err == nil && s == "" {
		err = &OpError{"session.login_with_password", ErrAnswer}
	}
	if err == nil {
		c.session = s
	}
	return s, err
}

// forget forgets a session, or any if s is empty, and returns it.
func (c *Client) forget(s string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s != "" && s != c.session {
		return ""
	}
	s, c.session = c.session, ""
	return s
}

// post makes one call, whose arguments are complete.
func (c *Client) post(ctx context.Context, method string, result func(*body, *json.Decoder) error, args ...any) error {
	err := c.exchange(ctx, method, result, args)
	if err != nil {
		return &OpError{method, err}
	}
	return nil
}

func (c *Client) exchange(ctx context.Context, method string, result func(*body, *json.Decoder) error, args []any) error {
	text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": args})
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	a, err := c.http.Do(q)
	if err != nil {
		return plain(err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: HTTP status %.60s", ErrAnswer, a.Status)
	}
	return answer(a.Body, result)
}
