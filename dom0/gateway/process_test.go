// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

const childEnv, dirEnv = "VLIBOS_GATEWAY_CHILD", "VLIBOS_GATEWAY_DIR"

var children = map[string]func(){"server": serveChild, "member": memberChild, "client": clientChild}

// burnt is what t:burn uses of a CPU.
const burnt = 200 * ms

// memberChild is a vLib OS that begins when the test has put it into its
// cgroup.
func memberChild() {
	bufio.NewReader(os.Stdin).ReadString('\n')
	serveChild()
}

// serveChild is a vLib OS that can be killed. t:hang never returns.
func serveChild() {
	l, err := native.Listen(os.Getenv(dirEnv), 1)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	s := vlibcall.NewServer(l)
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	s.Handle("t", "burn", func(*vlibcall.Call) error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for end := threadTime() + burnt; threadTime() < end; {
		}
		return nil
	})
	s.Handle("t", "hang", func(c *vlibcall.Call) error {
		fmt.Println("hanging")
		select {}
	})
	fmt.Println("serving")
	fmt.Println(s.Serve(context.Background()))
}

func threadTime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) // exists on every Linux
	return time.Duration(ts.Nano())
}

// clientChild calls, with the user of its process, the function that each line
// of its input names, in one channel, and prints the result.
func clientChild() {
	c, err := vlibcall.Open(context.Background(), native.Domain(os.Getenv(dirEnv)), vlibcall.Options{Size: 8192, Timeout: testkit.Patience})
	fmt.Println("open:", err)
	if err != nil {
		return
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		out, err := c.Call(context.Background(), "t", in.Text(), []byte("x"), nil)
		fmt.Printf("%s: %q %v\n", in.Text(), out, err)
	}
}

// child is a process whose output is read line by line.
type child struct {
	*exec.Cmd
	t     testing.TB
	lines chan string
	in    io.WriteCloser
}

func startChild(t testing.TB, what, dir string, as *syscall.Credential) *child {
	t.Helper()
	c := &child{Cmd: exec.Command("/proc/self/exe"), t: t, lines: make(chan string, 100)}
	c.Env = append(os.Environ(), childEnv+"="+what, dirEnv+"="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in = in
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		c.kill()
		<-read
		c.Wait()
	})
	return c
}

func (c *child) kill() { c.Process.Kill() }

func (c *child) says(words string) string {
	c.t.Helper()
	select {
	case line := <-c.lines:
		if !strings.Contains(line, words) {
			c.t.Errorf("the child says %q, want %q", line, words)
		}
		return line
	case <-time.After(testkit.Patience):
		c.t.Fatalf("the child does not say %q", words)
		return ""
	}
}

func (c *child) asks(function string) { fmt.Fprintln(c.in, function) }

// killable serves a domain in a process.
func (h *fakeHost) killable(name string) *child {
	h.t.Helper()
	c := startChild(h.t, "server", filepath.Join(h.dir, name), nil)
	c.says("serving")
	return c
}

// A vLib OS is absent, is there, dies during a call, and comes back.
func TestDomainsComeAndGo(t *testing.T) {
	h := newHost(t, nil)
	h.configure(nil, mine("web", testkit.Patience))
	c := h.client("web", testkit.Patience)
	_, err := call(c, "echo", "x")
	if !errors.Is(err, vlibcall.ErrGone) || !strings.Contains(err.Error(), "no such domain") {
		t.Error("no domain yet:", err)
	}
	for range 3 {
		server := h.killable("web")
		testkit.Eventually(t, "the domain that came is called", func() bool {
			_, err := call(c, "echo", "x")
			return err == nil
		})
		p := c.Go(t.Context(), "t", "hang", nil, nil)
		server.says("hanging")
		server.kill()
		if _, err := p.Result(); !errors.Is(err, vlibcall.ErrGone) {
			t.Error("it died in mid-call:", err)
		}
		server.Process.Wait() // before that its socket may still exist
	}
}

// The call of a killed caller is given up; others are served when the vLib OS
// is free again.
func TestCallOfAKilledCallerIsGivenUp(t *testing.T) {
	h := newHost(t, nil)
	began, cancelled := make(chan struct{}), make(chan struct{})
	h.vlibOS("web", map[string]vlibcall.Handler{"hang": func(c *vlibcall.Call) error {
		close(began)
		<-c.Context(context.Background()).Done()
		close(cancelled)
		return nil
	}})
	h.configure(nil, mine("web", testkit.Patience))
	caller := startChild(t, "client", filepath.Join(h.o.Dir, "web"), nil)
	caller.says("open: <nil>")
	caller.asks("hang")
	select { // a call that was given up earlier is not made
	case <-began:
	case <-time.After(testkit.Patience):
		t.Fatal("the call is not made")
	}
	caller.kill()
	select {
	case <-cancelled:
	case <-time.After(testkit.Patience):
		t.Fatal("the call of a dead caller continues")
	}
	h.echoes(h.client("web", testkit.Patience))
	testkit.Eventually(t, "its channel is given back", func() bool { return h.List()[0].Clients == 1 })
}

// The kernel's credentials of a caller decide.
func TestRulesDecideByTheKernelsCredentials(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("other users: needs root")
	}
	h := newHost(t, nil)
	for path := h.o.Dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.vlibOS("web", nil)
	web := policy.Target{Domain: "web", Port: 1}
	h.configure(nil,
		policy.Rule{Who: "nobody", ID: 65534, Target: web, Library: "t", Functions: []string{"echo"}, Timeout: testkit.Patience},
		policy.Rule{Who: "a group", ID: 70001, IsGroup: true, Target: web, Library: "t", Functions: []string{"other"}, Timeout: testkit.Patience})
	dir := filepath.Join(h.o.Dir, "web")
	nobody := startChild(t, "client", dir, &syscall.Credential{Uid: 65534, Gid: 65534})
	nobody.says("open: <nil>")
	nobody.asks("echo")
	nobody.says(`echo: "x" <nil>`)
	nobody.asks("other")
	nobody.says(`function = "other" is missing`)
	member := startChild(t, "client", dir, &syscall.Credential{Uid: 70000, Gid: 70000, Groups: []uint32{4, 70001}})
	member.says("open: <nil>")
	member.asks("echo")
	member.says(`user = 70000, domain = "web", port = 1, library = "t", function = "echo" is missing`)
	member.asks("other")
	member.says("no such function")
	stranger := startChild(t, "client", dir, &syscall.Credential{Uid: 70001, Gid: 70000})
	stranger.says("denied by the server: no rule of vlibmaster's configuration lets user 70001")
	// The channels of one user do not count for another, which may open as
	// many.
	var open []*child
	for range userChannels - 1 {
		c := startChild(t, "client", dir, &syscall.Credential{Uid: 65534, Gid: 65534})
		c.says("open: <nil>")
		open = append(open, c)
	}
	startChild(t, "client", dir, &syscall.Credential{Uid: 65534, Gid: 65534}).says("16 channels open")
	startChild(t, "client", dir, &syscall.Credential{Uid: 70000, Gid: 70001}).says("open: <nil>")
	open[0].kill()
	testkit.Eventually(t, "what a process had is given back when it is killed", func() bool {
		c := startChild(t, "client", dir, &syscall.Credential{Uid: 65534, Gid: 65534})
		defer c.kill()
		return strings.Contains(c.says("open: "), "<nil>")
	})
}
