// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/internal/httplimit"
	"github.com/vlibos/vlibos/internal/unixpath"
)

// mostRequest bounds a request, in bytes.
const mostRequest = 1 << 20

// slowest bounds how long a client may take to send its request, mostClients how
// many clients there are at once.
const slowest, mostClients = 10 * time.Second, 256

// Listen makes the socket. The caller is the host's one master, so a socket that
// is there already is a dead master's.
func Listen(path string) (net.Listener, error) {
	if err := unixpath.Check(path); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Gateway is what is known of the calls of unprivileged tools.
type Gateway interface {
	List() []api.Target
	Watched() []api.Watched
}

// Throttle is what is known of the throttle.
type Throttle interface {
	Status() *api.Throttle // nil: there is none
}

// Caches is what is known of caches.
type Caches interface {
	Class(id string) string // of a domain; empty: none
	Use(context.Context) map[string]host.CacheUse
	Caches(context.Context) (api.Caches, error)
}

// Serve answers commands until ctx ends.
func Serve(ctx context.Context, l net.Listener, m *master.Master, g Gateway, t Throttle, c Caches, more ...Extra) error {
	s := &http.Server{
		Handler: handler(m, g, t, c, more), ReadTimeout: slowest, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	httplimit.Connections(s, mostClients)
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Shutdown(last) // requests under way have a second
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func handler(m *master.Master, g Gateway, t Throttle, c Caches, more []Extra) http.Handler {
	mux := http.NewServeMux()
	for _, e := range more {
		mux.Handle(e.Pattern, e.Handler)
	}
	post(mux, api.PathReserve, func(ctx context.Context, want api.Reservation) (any, error) {
		return m.Reserve(ctx, want)
	})
	post(mux, api.PathRelease, func(ctx context.Context, r api.Ended) (any, error) {
		if r.Reservation != 0 {
			return m.Unreserve(ctx, r.Reservation)
		}
		return m.Release(ctx, r.Domain)
	})
	post(mux, api.PathTry, func(ctx context.Context, want []api.Reservation) (any, error) {
		return m.Try(ctx, want)
	})
	mux.HandleFunc("GET "+api.PathHost, func(w http.ResponseWriter, hr *http.Request) {
		all, _ := m.List(hr.Context()) // an entry that cannot be read has its problem in it
		h := api.Host{
			Host: m.Host(), Reservations: all, Called: g.List(), Throttle: t.Status(), Notes: m.Notes(),
			Wedged: slices.DeleteFunc(g.Watched(), func(w api.Watched) bool { return !w.Wedged }),
		}
		var err error
		if hr.URL.Query().Has(api.QueryDomains) {
			h.Domains, err = m.Domains(hr.Context())
			use := c.Use(hr.Context())
			for i, d := range h.Domains {
				if u, ok := use[d.ID]; ok {
					h.Domains[i].Cache = &u
				}
			}
		}
		reply(w, h, err)
	})
	mux.HandleFunc("GET "+api.PathCaches, func(w http.ResponseWriter, hr *http.Request) {
		all, err := c.Caches(hr.Context())
		reply(w, all, err)
	})
	return mux
}

// post answers requests of one kind.
func post[R any](mux *http.ServeMux, path string, f func(ctx context.Context, r R) (any, error)) {
	mux.Handle("POST "+path, posted(f))
}

// posted answers requests with a body.
func posted[R any](f func(ctx context.Context, r R) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		var r R
		d := json.NewDecoder(http.MaxBytesReader(w, hr.Body, mostRequest))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			reply(w, nil, fmt.Errorf("%w: %w", api.ErrRequest, err))
			return
		}
		v, err := f(hr.Context(), r)
		reply(w, v, err)
	}
}

func reply(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		v, status = api.FailureOf(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that has left does not need it
}
