// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
)

// daemon is a master of the native host, with its own parent cgroup.
type daemon struct {
	program, parent, dir string
	cmd                  *exec.Cmd
	*client.Client
}

// command is one of the program's commands for this daemon.
func (d *daemon) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, d.program, append([]string{"--host", "native", "--native-cgroup", d.parent}, args...)...)
	c.Env = append(os.Environ(), "VLIBOS_RUN_DIR="+d.dir)
	return c
}

// start starts the daemon, and waits until it answers.
func start(ctx context.Context, program, parent, dir string) (*daemon, error) {
	d := &daemon{program: program, parent: parent, dir: dir}
	config, log := filepath.Join(dir, "config.toml"), filepath.Join(dir, "log")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		return nil, err
	}
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	d.cmd = d.command(context.WithoutCancel(ctx), "serve", "--config", config)
	d.cmd.Stderr = out
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	d.Client = client.New(filepath.Join(dir, api.SocketName))
	for end := time.Now().Add(10 * time.Second); ; {
		_, err := d.Host(ctx)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, api.ErrNoMaster) || time.Now().After(end) {
			text, _ := os.ReadFile(log) // the error says enough without it
			return nil, errors.Join(err, fmt.Errorf("the daemon said: %s", text), d.stop())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (d *daemon) stop() error {
	d.Close()
	return errors.Join(d.cmd.Process.Signal(unix.SIGTERM), d.cmd.Wait())
}

// cpu is the CPU time of the daemon's threads.
func (d *daemon) cpu() (time.Duration, error) { return bench.CPUTime(d.cmd.Process.Pid) }

// memory is the daemon's resident memory, in bytes.
func (d *daemon) memory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f", &kib); err == nil {
			return kib * 1024, nil
		}
	}
	return 0, errors.New("the kernel does not tell the resident memory of a process")
}
