// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/unixpath"
)

func TestSocketWithoutAMasterIsNoMaster(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	c := New(socket)
	defer c.Close()
	if _, err := c.Host(t.Context()); !errors.Is(err, api.ErrNoMaster) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := c.Host(t.Context()); !errors.Is(err, api.ErrNoMaster) {
		t.Errorf("a dead master's socket: %v", err)
	}
}

// Messages about a master that hangs, or ends in mid-answer, name its socket.
func TestMasterThatDoesNotAnswerIsNamed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var first net.Conn // hangs; those behind it end at once
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if first != nil {
				conn.Close()
			} else {
				first = conn
			}
		}
	})
	c := New(socket)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Host(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), socket+": the master does not answer") {
		t.Errorf("one that hangs: %v", err)
	}
	if _, err = c.Host(t.Context()); !errors.Is(err, api.ErrNoMaster) || strings.Contains(err.Error(), "http://") {
		t.Errorf("one that ends: %v", err)
	}
	if _, err := New("/" + strings.Repeat("a", 120)).Host(t.Context()); !errors.Is(err, unixpath.ErrTooLong) {
		t.Errorf("a path that is too long: %v", err)
	}
	l.Close()
	served.Wait()
	first.Close()
}
