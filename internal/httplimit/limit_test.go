// SPDX-License-Identifier: Apache-2.0

package httplimit

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

// served serves at most most connections. /wait is answered when it is let.
func served(t *testing.T, most int) (address string, waits, let chan struct{}) {
	waits, let = make(chan struct{}, 10), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })
	mux.HandleFunc("/wait", func(http.ResponseWriter, *http.Request) { waits <- struct{}{}; <-let })
	s := &http.Server{Handler: mux}
	Connections(s, most)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String(), waits, let
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(testkit.Patience))
	return c
}

func ask(t *testing.T, c net.Conn, path string) {
	t.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

func closed(c net.Conn) bool {
	_, err := c.Read(make([]byte, 1000))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

func answers(t *testing.T, c net.Conn) {
	t.Helper()
	b := make([]byte, 1000)
	if n, err := c.Read(b); err != nil || !strings.Contains(string(b[:n]), "200 OK") {
		t.Errorf("%q, %v", b[:n], err)
	}
}

// Connections that say nothing, or half a request, keep no other out: the oldest
// go.
func TestSilentConnectionsMakeRoom(t *testing.T) {
	const most = 8
	address, _, _ := served(t, most)
	var silent []net.Conn
	for i := range 5 * most {
		c := dial(t, address)
		if i%2 == 1 {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost:")
		}
		silent = append(silent, c)
	}
	c := dial(t, address)
	ask(t, c, "/")
	answers(t, c)
	for i, c := range silent[:len(silent)+1-most] {
		if !closed(c) {
			t.Errorf("connection %d is kept", i)
		}
	}
	last := silent[len(silent)-2] // which said nothing yet
	ask(t, last, "/")
	answers(t, last)
}

// Requests that are under way are not cut off, however many come.
func TestRequestsUnderWayAreFinished(t *testing.T) {
	address, waits, let := served(t, 2)
	first, second := dial(t, address), dial(t, address)
	ask(t, first, "/wait")
	ask(t, second, "/wait")
	<-waits
	<-waits
	if third := dial(t, address); !closed(third) {
		t.Error("a third connection is open")
	}
	close(let)
	answers(t, first)
	answers(t, second)
}
