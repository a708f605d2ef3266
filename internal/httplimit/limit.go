// SPDX-License-Identifier: Apache-2.0

// Package httplimit bounds how many connections an http.Server has, and so how
// many descriptors its clients can make it hold.
//
// netutil.LimitListener does not serve: it stops accepting at its limit, so that
// connections which ask for nothing keep out those that do. Here the oldest
// connection without a request makes room for the newest.
package httplimit

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
)

// Connections has s, which does not serve yet, hold at most most connections. At
// the limit a new one closes the oldest whose request has not been read, and is
// closed itself if there is none.
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
	serving bool // a request of it
}

func (l *limit) enter(conn net.Conn) *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &connection{Conn: conn}
	l.open = append(l.open, c)
	if len(l.open) > l.most {
		i := slices.IndexFunc(l.open, func(c *connection) bool { return !c.serving })
		l.open[i].Close() // the server hears of it by reading
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
