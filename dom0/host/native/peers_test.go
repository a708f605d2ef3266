// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	channels "github.com/vlibos/vlibos/vlibcall/transport/native"
)

// server is the test binary as the server of a domain: it says when it listens,
// and serves until its standard input ends.
func server(dir string) error {
	runtime.GOMAXPROCS(2)
	l, err := channels.Listen(dir, 1)
	if err != nil {
		return err
	}
	s := vlibcall.NewServer(l)
	s.Handle("t", "loop", func(c *vlibcall.Call) error {
		for !c.Cancelled() {
		}
		return vlibcall.ErrCancelled
	})
	s.Handle("t", "use", func(c *vlibcall.Call) error { use(time.Duration(c.Input()[0]) * ms); return nil })
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		bufio.NewReader(os.Stdin).ReadByte()
		stop()
	}()
	fmt.Println("listens")
	return s.Serve(ctx)
}

// lockThread makes the goroutine's thread end with it.
func lockThread() { runtime.LockOSThread() }

// use uses that much CPU time of the calling thread.
func use(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for end := clock.Thread() + d; clock.Thread() < end; {
	}
}

// startServer makes a domain with a server in it.
func startServer(t *testing.T, p *Host, name string) host.Domain {
	t.Helper()
	if p.k.servers == channels.DefaultRoot {
		p.k.servers = t.TempDir()
	}
	dir := filepath.Join(p.k.servers, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// It is in its cgroup before it looks which that is.
	cmd := exec.Command("sh", "-c", `read line; exec "$0" "$@"`, os.Args[0], "server", dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err := p.Remove(ctx, name); err != nil && !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
	})
	if err := p.Create(name, cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(in); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "listens\n" {
		t.Fatalf("server: %q, %v", line, err)
	}
	d := domain(name)
	if d.CPUs, err = p.cpusOf(name); err != nil {
		t.Fatal(err)
	}
	return d
}

// runCaller is the test binary as one that burns half itself, half by calls, until
// it is killed. It begins when a line with its reservation comes.
func runCaller(dir string) error {
	var reservation uint32
	if _, err := fmt.Scanln(&reservation); err != nil {
		return err
	}
	c, err := vlibcall.Open(context.Background(), channels.Domain(dir), vlibcall.Options{Size: 8192, Reservation: transport.Reservation(reservation)})
	if err != nil {
		return err
	}
	fmt.Println("calls")
	for {
		use(ms)
		if _, err := c.Call(context.Background(), "t", "use", []byte{1}, nil); err != nil {
			return err
		}
	}
}

// startCaller makes a caller of the domain that begins when it is told.
func startCaller(t *testing.T, p *Host, name string) (m host.Members, begin func(reservation uint32), kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "caller", filepath.Join(p.k.servers, name))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	taskset(t, cmd, lastCPU(t, p))
	return host.Members{PID: cmd.Process.Pid}, func(reservation uint32) {
		t.Helper()
		if _, err := fmt.Fprintln(in, reservation); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatalf("caller: %q, %v", line, err)
		}
	}, kill
}
