// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
	"github.com/vlibos/vlibos/xenctl/xenstore/xenstoretest"
)

func TestClientBehavesOnTheTestDaemon(t *testing.T) {
	s := daemon(t)
	behaviour(t, func(t *testing.T) *Client { return connect(t, s.Path) })
	testkit.Eventually(t, "nothing is left in the daemon", func() bool {
		transactions, watches := s.Open()
		return transactions == 0 && watches == 0
	})
}

func TestOpenHonoursTheEnvironment(t *testing.T) {
	s := daemon(t)
	t.Setenv("XENSTORED_PATH", s.Path)
	c, err := Open(within(t))
	check(t, err)
	check(t, c.Mkdir(within(t), "/x"))
	check(t, c.Close())
	t.Setenv("XENSTORED_PATH", t.TempDir()+"/absent")
	_, err = Open(within(t))
	wantError(t, err, fs.ErrNotExist)
}

func TestCloseUnblocksAllWaiters(t *testing.T) {
	s := daemon(t)
	release := make(chan struct{})
	s.Intercept(func(_ net.Conn, r xenstoretest.Request) bool {
		if protocol.Type(r.Type) == protocol.Read {
			<-release
		}
		return false
	})
	defer close(release)
	c := connect(t, s.Path)
	w, err := c.Watch(within(t), "/w")
	check(t, err)
	_, err = w.Next(within(t))
	check(t, err)
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			_, err := c.Read(context.Background(), "/x")
			wantError(t, err, os.ErrClosed)
		})
		users.Go(func() {
			_, err := w.Next(context.Background())
			wantError(t, err, os.ErrClosed)
		})
	}
	testkit.Eventually(t, "all requests wait for their answers", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.pending) == 8
	})
	check(t, c.Close())
	check(t, c.Close())
	users.Wait()
	wantError(t, c.Write(within(t), "/x", nil), os.ErrClosed)
	_, err = c.Watch(within(t), "/x")
	wantError(t, err, os.ErrClosed)
	wantError(t, c.Transaction(within(t), func(*Tx) error { return nil }), os.ErrClosed)
}

func TestDyingDaemonIsAnErrorForAllWaiters(t *testing.T) {
	s := daemon(t)
	c := connect(t, s.Path)
	w, err := c.Watch(within(t), "/w")
	check(t, err)
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for {
				if _, err := c.Read(context.Background(), "/local"); err != nil {
					wantError(t, err, ErrBroken)
					return
				}
			}
		})
	}
	users.Go(func() {
		for {
			if _, err := w.Next(context.Background()); err != nil {
				wantError(t, err, ErrBroken)
				return
			}
		}
	})
	testkit.Eventually(t, "requests come and go", func() bool { return s.Requests() > 100 })
	check(t, s.Close())
	users.Wait()
	check(t, w.Close())
}

// Answers in another order than the requests reach their requests.
func TestAnswersOutOfOrderReachTheirRequests(t *testing.T) {
	s := daemon(t)
	const n = 20
	var waiting []xenstoretest.Request
	s.Intercept(func(conn net.Conn, r xenstoretest.Request) bool {
		if waiting = append(waiting, r); len(waiting) < n {
			return true
		}
		for i := n - 1; i >= 0; i-- {
			_, _ = conn.Write(protocol.Append(nil, protocol.Message{Type: protocol.Read, Request: waiting[i].ID, Payload: waiting[i].Payload}))
		}
		return true
	})
	c := connect(t, s.Path)
	var users sync.WaitGroup
	for i := range n {
		users.Go(func() {
			path := fmt.Sprintf("/%d", i)
			got, err := c.Read(within(t), path)
			if err != nil || string(got) != path+"\x00" {
				t.Errorf("%q, %v; want %q", got, err, path)
			}
		})
	}
	users.Wait()
}

// The kernel's device must not get a second request before the first is
// answered, even if the first has been given up.
func TestDeviceIsGivenOneRequestAtATime(t *testing.T) {
	s := daemon(t)
	delayed := make(chan func(), 10)
	s.Intercept(func(conn net.Conn, r xenstoretest.Request) bool {
		delayed <- func() {
			_, _ = conn.Write(protocol.Append(nil, protocol.Message{Type: protocol.Type(r.Type), Request: r.ID, Payload: r.Payload}))
		}
		return true
	})
	conn, err := net.Dial("unix", s.Path)
	check(t, err)
	c := newClient(conn, true)
	defer c.Close()
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = c.Read(short, "/given-up")
	wantError(t, err, context.DeadlineExceeded)
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			got, err := c.Read(within(t), "/x")
			if err != nil || string(got) != "/x\x00" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for answered := range 5 {
		testkit.Eventually(t, "one request is sent and the others wait", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return s.Requests() > answered && len(c.queue) == 4-answered
		})
		if n := s.Requests(); n != answered+1 {
			t.Fatalf("%d requests were sent and %d answered", n, answered)
		}
		(<-delayed)()
	}
	users.Wait()
}

func TestRequestEndsWithItsContext(t *testing.T) {
	s := daemon(t)
	release := make(chan struct{})
	s.Intercept(func(net.Conn, xenstoretest.Request) bool {
		<-release
		return false
	})
	c := connect(t, s.Path)
	for range 3 { // one is sent, the others may wait behind it
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		wantError(t, c.Write(ctx, "/x", nil), context.DeadlineExceeded)
		cancel()
	}
	close(release)
	// Its late answer has no receiver and does no harm.
	check(t, c.Mkdir(within(t), "/y"))
}

// Creations that were given up while the daemon was slow are undone by the late
// answer.
func TestAbandonedCreationsAreUndone(t *testing.T) {
	s := daemon(t)
	release := make(chan struct{})
	s.Intercept(func(net.Conn, xenstoretest.Request) bool {
		<-release
		return false
	})
	short, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := connect(t, s.Path)
	d := connect(t, s.Path)
	var users sync.WaitGroup
	users.Go(func() {
		_, err := c.Watch(short, "/w")
		wantError(t, err, context.Canceled)
	})
	users.Go(func() {
		wantError(t, d.Transaction(short, func(*Tx) error { return nil }), context.Canceled)
	})
	testkit.Eventually(t, "both requests are with the daemon", func() bool { return s.Requests() == 2 })
	cancel()
	users.Wait()
	close(release)
	testkit.Eventually(t, "both requests and their undoing are handled", func() bool { return s.Requests() == 4 })
	testkit.Eventually(t, "nothing is left in the daemon", func() bool {
		transactions, watches := s.Open()
		return transactions == 0 && watches == 0
	})
}

func TestTransactionEndsWithItsContext(t *testing.T) {
	s := daemon(t)
	c := connect(t, s.Path)
	ctx, cancel := context.WithCancel(context.Background())
	err := c.Transaction(ctx, func(tx *Tx) error {
		check(t, tx.Write(ctx, "/x", nil))
		cancel()
		return nil
	})
	wantError(t, err, context.Canceled)
	testkit.Eventually(t, "the transaction is not left open", func() bool { n, _ := s.Open(); return n == 0 })
	_, err = c.Read(within(t), "/x")
	wantError(t, err, fs.ErrNotExist)
}

func TestTransactionIsAbortedByAPanic(t *testing.T) {
	s := daemon(t)
	c := connect(t, s.Path)
	func() {
		defer func() { _ = recover() }()
		_ = c.Transaction(within(t), func(*Tx) error { panic("fn") })
	}()
	testkit.Eventually(t, "the transaction is not left open", func() bool { n, _ := s.Open(); return n == 0 })
}

func TestTransactionEndsAfterTooManyConflicts(t *testing.T) {
	s := daemon(t)
	c, other := connect(t, s.Path), connect(t, s.Path)
	runs := 0
	err := c.Transaction(within(t), func(tx *Tx) error {
		runs++
		check(t, other.Write(within(t), "/x", nil))
		return tx.Write(within(t), "/x", nil)
	})
	wantError(t, err, ErrConflict)
	if runs != transactionAttempts {
		t.Errorf("%d runs", runs)
	}
}

func TestDirectoryThatChangesBetweenPartsIsReadAgain(t *testing.T) {
	s := daemon(t)
	c, other := connect(t, s.Path), connect(t, s.Path)
	for i := range 200 {
		check(t, c.Mkdir(within(t), fmt.Sprintf("/dir/%050d", i)))
	}
	parts := 0
	s.Intercept(func(_ net.Conn, r xenstoretest.Request) bool {
		if protocol.Type(r.Type) != protocol.DirectoryPart {
			return false
		}
		if parts++; parts == 2 {
			go func() { _ = other.Mkdir(context.Background(), "/dir/new") }()
			testkit.Holds(func() bool { names, err := list(s.Path); return err == nil && names == 201 })
		}
		return false
	})
	names, err := c.Directory(within(t), "/dir")
	if err != nil || len(names) != 201 {
		t.Errorf("%d names, %v", len(names), err)
	}
	if parts < 5 {
		t.Errorf("%d parts: the list was not read again", parts)
	}
}

// list adds the new node over a connection of its own.
func list(path string) (int, error) {
	c, err := OpenPath(context.Background(), path)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.Read(context.Background(), "/dir/new"); err != nil {
		return 0, err
	}
	return 201, nil
}
