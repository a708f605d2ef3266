// SPDX-License-Identifier: Apache-2.0

// Package httplimit limits the connections of an http.Server, and so the descriptors
// that its clients occupy.
//
// It replaces netutil.LimitListener, which stops accepting at its limit: idle
// connections would then lock out clients with a request. Here the oldest connection
// without a request makes room for the newest.
package httplimit

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
)

// Connections limits s, which must not serve yet, to most connections. Beyond the
// limit a new connection closes the oldest one whose request has not been read; if
// there is none, the new one is closed.
func Connections(s *http.Server, most int) {
	l := &limit{most: most}
	handler := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(key{}).(*connection)
		l.serving(c, true)
		defer l.serving(c, false)
		handler.ServeHTTP(w, r)
	})
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, key{}, l.enter(conn))
	}
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			l.leave(conn)
		}
	}
}

type key struct{}

type limit struct {
	most int
	mu   sync.Mutex
	open []*connection // the oldest first
}

type connection struct {
	net.Conn
	serving bool // a request
}

func (l *limit) enter(conn net.Conn) *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &connection{Conn: conn}
	l.open = append(l.open, c)
	if len(l.open) > l.most {
		i := slices.IndexFunc(l.open, func(c *connection) bool { return !c.serving })
		l.open[i].Close() // the server's next read fails
		l.open = slices.Delete(l.open, i, i+1)
	}
	return c
}

func (l *limit) serving(c *connection, now bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.serving = now
}

func (l *limit) leave(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = slices.DeleteFunc(l.open, func(c *connection) bool { return c.Conn == conn })
}
