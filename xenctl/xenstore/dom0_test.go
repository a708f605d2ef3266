// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package xenstore

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
)

// These tests run in the lab's Dom0, beside at least one DomU, with the real
// daemon over both transports.
var ways = map[string]string{"socket": "/run/xenstored/socket", "device": "/dev/xen/xenbus"}

func eachWay(t *testing.T, f func(t *testing.T, path string)) {
	for name, path := range ways {
		t.Run(name, func(t *testing.T) { f(t, path) })
	}
}

func TestLabClientBehavesOnTheRealDaemon(t *testing.T) {
	eachWay(t, func(t *testing.T, path string) {
		behaviour(t, func(t *testing.T) *Client { return connect(t, path) })
	})
}

func TestLabOpenFindsTheDaemon(t *testing.T) {
	c, err := Open(within(t))
	check(t, err)
	defer c.Close()
	if c.device {
		t.Error("used the device although there is a socket")
	}
	names, err := c.Directory(within(t), "/local/domain")
	if err != nil || len(names) < 2 {
		t.Errorf("domains %q, %v", names, err)
	}
	for _, name := range names {
		value, err := c.Read(within(t), "/local/domain/"+name+"/name")
		t.Logf("domain %s is %q, %v", name, value, err)
	}
}

func TestLabCloseUnblocksAllWaiters(t *testing.T) {
	eachWay(t, func(t *testing.T, path string) {
		before := len(testkit.Descriptors())
		for range 20 {
			c, err := OpenPath(within(t), path)
			check(t, err)
			w, err := c.Watch(within(t), "nothing")
			check(t, err)
			_, err = w.Next(within(t))
			check(t, err)
			var users sync.WaitGroup
			users.Go(func() {
				_, err := w.Next(context.Background())
				wantError(t, err, os.ErrClosed)
			})
			for range 4 {
				users.Go(func() {
					for {
						if _, err := c.Directory(context.Background(), "/local/domain"); err != nil {
							wantError(t, err, os.ErrClosed)
							return
						}
					}
				})
			}
			time.Sleep(time.Millisecond)
			check(t, c.Close())
			users.Wait()
		}
		if after := len(testkit.Descriptors()); after > before+3 {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}

// The kernel's device accepts slightly smaller messages than the protocol. A
// refusal fails one request and nothing else.
func TestLabDeviceRefusesOneRequest(t *testing.T) {
	c := connect(t, ways["device"])
	check(t, c.Mkdir(within(t), "data"))
	err := c.Write(within(t), "data/x", make([]byte, 4085))
	var op *OpError
	if !errors.As(err, &op) || errors.Is(err, ErrBroken) {
		t.Errorf("error %v", err)
	}
	t.Log(err)
	check(t, c.Mkdir(within(t), "data"))
}

func TestLabWatchSeesADomainGo(t *testing.T) {
	c := connect(t, ways["socket"])
	w, err := c.Watch(within(t), "@releaseDomain")
	check(t, err)
	_, err = w.Next(within(t))
	check(t, err)
	out, err := exec.Command("xl", "list").Output()
	check(t, err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	name := strings.Fields(lines[len(lines)-1])[0]
	if name == "Domain-0" {
		t.Fatal("there is no DomU")
	}
	check(t, exec.Command("xl", "destroy", name).Run())
	e, err := w.Next(within(t))
	if err != nil || e.Path != "@releaseDomain" {
		t.Errorf("event %+v, %v", e, err)
	}
}

// A daemon that hangs delays no request longer than its context; after it
// recovers, everything continues.
func TestLabHangingDaemonDelaysNoRequestBeyondItsContext(t *testing.T) {
	pid := daemonPID(t)
	c := connect(t, ways["socket"])
	check(t, c.Mkdir(within(t), "data/hang"))
	check(t, unix.Kill(pid, unix.SIGSTOP))
	var users sync.WaitGroup
	for range 300 { // more than fits into the socket's buffer
		users.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			wantError(t, c.Write(ctx, "data/hang", make([]byte, 2000)), context.DeadlineExceeded)
		})
	}
	users.Wait()
	check(t, unix.Kill(pid, unix.SIGCONT))
	check(t, c.Write(within(t), "data/hang", []byte("alive")))
	got, err := c.Read(within(t), "data/hang")
	if err != nil || string(got) != "alive" {
		t.Errorf("%q, %v", got, err)
	}
}

func daemonPID(t *testing.T) int {
	t.Helper()
	dirs, err := os.ReadDir("/proc")
	check(t, err)
	for _, d := range dirs {
		comm, err := os.ReadFile("/proc/" + d.Name() + "/comm")
		if err != nil || strings.TrimSpace(string(comm)) != "xenstored" {
			continue
		}
		pid := 0
		for _, digit := range d.Name() {
			pid = pid*10 + int(digit-'0')
		}
		return pid
	}
	t.Fatal("xenstored is not running")
	return 0
}

func TestLabRoundsLeaveNothing(t *testing.T) {
	eachWay(t, func(t *testing.T, path string) {
		before := len(testkit.Descriptors())
		for range 200 {
			c, err := OpenPath(within(t), path)
			check(t, err)
			w, err := c.Watch(within(t), "data/rounds")
			check(t, err)
			check(t, c.Transaction(within(t), func(tx *Tx) error {
				_, err := tx.Directory(within(t), "/local/domain")
				return err
			}))
			check(t, w.Close())
			check(t, c.Close())
		}
		if after := len(testkit.Descriptors()); after > before+3 {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}
