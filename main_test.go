// SPDX-License-Identifier: Apache-2.0

package vlibos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/control"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall/receipt"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// The domains and the master of the tests: web is the project's server, text a
// server of this process.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err == nil && code == 0 {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "vlibos-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	runDir := filepath.Join(dir, "run")
	for name, value := range map[string]string{"VLIBOS_HOST": "native", "VLIBOS_NATIVE_DIR": dir, "VLIBOS_RUN_DIR": runDir, vlibos.Environment: ""} {
		if err := os.Setenv(name, value); err != nil {
			return 1, err
		}
	}
	if err := os.Mkdir(runDir, 0o700); err != nil {
		return 1, err
	}
	var serving sync.WaitGroup
	ctx, end := context.WithCancel(context.Background())
	defer func() { end(); serving.Wait() }()
	serve := func(f func() error) {
		serving.Go(func() {
			if err := f(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		})
	}
	if err := startServer(ctx, dir, serve); err != nil {
		return 1, err
	}
	server, err := vlibos.NewServer(ctx, vlibos.ServerOptions{Name: "text"})
	if err != nil {
		return 1, err
	}
	server.HandleFunc("text", "upper", func(_ context.Context, input []byte) ([]byte, error) { return bytes.ToUpper(input), nil })
	serve(func() error { return server.Serve(ctx) })
	if err := startMaster(ctx, runDir, serve); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// startServer builds vlib-server and vlib-worker, and starts the domain web.
func startServer(ctx context.Context, dir string, serve func(func() error)) error {
	build := exec.Command("go", "build", "-o", dir, "./cmd/vlib-server", "./cmd/vlib-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the server: %w\n%s", err, out)
	}
	program, free := inCgroup(filepath.Join(dir, "vlib-server"), "--transport", "native", "--name", "web")
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, free())
	}
	serve(func() error {
		<-ctx.Done()
		return errors.Join(cmd.Process.Signal(unix.SIGTERM), cmd.Wait(), free())
	})
	if !testkit.Holds(func() bool { _, err := os.Stat(filepath.Join(dir, "web", "1.sock")); return err == nil }) {
		return errors.New("vlib-server does not listen")
	}
	return nil
}

// paid says that reservations can pay for calls of the domain web.
var paid bool

// inCgroup is a command that runs a program in a cgroup of its own, where this user
// may make one; then a native server takes reservations.
func inCgroup(program ...string) (command []string, free func() error) {
	trees, err := cgroup.Trees()
	if err != nil || len(trees) == 0 || os.Geteuid() != 0 {
		return program, func() error { return nil }
	}
	dir, err := os.MkdirTemp(trees[0].Root, "vlibos-test-")
	if err != nil {
		return program, func() error { return nil }
	}
	paid = true
	enter := []string{"sh", "-c", `echo 0 >"$0/cgroup.procs" && exec "$@"`, dir}
	return append(enter, program...), func() error { return os.Remove(dir) }
}

// startMaster serves reservations of a host that only lets them pay for calls.
func startMaster(ctx context.Context, dir string, serve func(func() error)) error {
	m, err := master.Open(ctx, fakeHost{servers: filepath.Dir(dir)}, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	shelf, err := receipt.OpenShelf(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	l, err := control.Listen(filepath.Join(dir, api.SocketName))
	if err != nil {
		return err
	}
	serve(func() error {
		return errors.Join(control.Serve(ctx, l, m, none{}, none{}, none{}, control.ServeCalls(shelf)), m.Close())
	})
	return nil
}

// fakeHost has the domain web, on one CPU.
type fakeHost struct {
	host.Host
	servers string
}

func (fakeHost) Name() string                        { return "test" }
func (fakeHost) Can() host.Abilities                 { return host.Abilities{Threads: true, Calls: true} }
func (fakeHost) Close() error                        { return nil }
func (fakeHost) Own() error                          { return nil }
func (fakeHost) Notes() []string                     { return nil }
func (fakeHost) Renew(time.Duration) error           { return nil }
func (fakeHost) Clear(context.Context, uint32) error { return nil }
func (fakeHost) Floor() (rtsched.Task, time.Duration) {
	return rtsched.Task{Budget: time.Millisecond, Period: 20 * time.Millisecond}, 0
}
func (fakeHost) Domains(context.Context) ([]host.Domain, error) {
	return []host.Domain{{ID: "web", UUID: "web", Name: "web", CPUs: []int{0}}}, nil
}
func (fakeHost) MemberCPUs(host.Members) ([]int, error) { return []int{0}, nil }

// Reserve lets the reservation pay for an hour.
func (h fakeHost) Reserve(_ context.Context, r host.Reservation) error {
	if !paid {
		return nil
	}
	b, err := ledger.OpenBook(filepath.Join(h.servers, "web"))
	if err != nil {
		return err
	}
	return errors.Join(b.Allow(r.ID, true), b.Renew(time.Hour), b.Close())
}

func (fakeHost) Unreserve(context.Context, host.Reservation) error { return nil }
func (fakeHost) Usage(context.Context, host.Reservation) (host.Usage, error) {
	return host.Usage{}, nil
}

// none is a gateway and a throttle that a master does not have.
type none struct{}

func (none) List() []api.Target     { return nil }
func (none) Watched() []api.Watched { return nil }
func (none) Status() *api.Throttle  { return nil }

func (none) Class(string) string                          { return "" }
func (none) Use(context.Context) map[string]host.CacheUse { return nil }
func (none) Caches(context.Context) (api.Caches, error)   { return api.Caches{}, nil }
