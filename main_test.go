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
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall/receipt"
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
	cmd := exec.Command(filepath.Join(dir, "vlib-server"), "--transport", "native", "--name", "web")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	serve(func() error {
		<-ctx.Done()
		return errors.Join(cmd.Process.Signal(unix.SIGTERM), cmd.Wait())
	})
	if !testkit.Holds(func() bool { _, err := os.Stat(filepath.Join(dir, "web", "1.sock")); return err == nil }) {
		return errors.New("vlib-server does not listen")
	}
	return nil
}

// startMaster serves reservations of a host that makes them without doing anything.
func startMaster(ctx context.Context, dir string, serve func(func() error)) error {
	m, err := master.Open(ctx, fakeHost{}, dir, slog.New(slog.DiscardHandler))
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
		return errors.Join(control.Serve(ctx, l, m, none{}, none{}, control.ServeCalls(shelf)), m.Close())
	})
	return nil
}

// fakeHost has the domain web, on one CPU.
type fakeHost struct{ host.Host }

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
func (fakeHost) MemberCPUs(host.Members) ([]int, error)            { return []int{0}, nil }
func (fakeHost) Reserve(context.Context, host.Reservation) error   { return nil }
func (fakeHost) Unreserve(context.Context, host.Reservation) error { return nil }
func (fakeHost) Usage(context.Context, host.Reservation) (host.Usage, error) {
	return host.Usage{}, nil
}

// none is a gateway and a throttle that a master does not have.
type none struct{}

func (none) List() []api.Target    { return nil }
func (none) Wedged() []api.Watched { return nil }
func (none) Status() *api.Throttle { return nil }
