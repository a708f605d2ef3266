// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running emulator. It does not outlive its context, its Close,
// or the process that started it, however that ends.
type Process struct {
	// Channel is the virtio-serial port: the guest's bytes, both ways.
	Channel net.Conn

	stop context.CancelFunc
	done chan struct{}
	err  error // valid when done is closed
	once sync.Once
}

// Start starts the machine. Serial console output and then the emulator's own
// messages go to console, which must be safe for concurrent use. The caller
// closes the Process.
func Start(ctx context.Context, m Machine, console io.Writer) (*Process, error) {
	args, err := m.args()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("channel to the guest: %w", err)
	}
	defer theirs.Close()
	ctx, stop := context.WithCancel(ctx)
	p := &Process{Channel: ours, stop: stop, done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, Program, args...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{theirs, m.Ramdisk}
	if m.Plugin != "" {
		cmd.ExtraFiles = append(cmd.ExtraFiles, m.Shared)
	}
	// A process group of its own: a terminal's ctrl-c is for us to act on.
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	cmd.WaitDelay = time.Second
	started := make(chan error)
	go func() {
		// Pdeathsig (prctl(2)) fires when the thread that forked ends, so that
		// thread must stay as long as the emulator does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		stop()
		ours.Close()
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	return p, nil
}

// Done is closed when the emulator has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the emulator ended by itself: nil for a power-off. It may be
// called when Done is closed.
func (p *Process) Err() error { return p.err }

// Close kills the emulator, waits for its end, and closes the channel.
func (p *Process) Close() error {
	p.once.Do(func() {
		p.stop()
		<-p.done
		p.Channel.Close()
	})
	return nil
}

// Version returns the emulator's version, for example "7.2.18".
func Version(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, Program, "--version").Output()
	if err != nil {
		return "", err
	}
	var v string
	if _, err := fmt.Sscanf(string(out), "QEMU emulator version %s", &v); err != nil {
		return "", errors.New("cannot read the output of " + Program + " --version")
	}
	return v, nil
}

func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "channel")
	f := os.NewFile(uintptr(fds[0]), "channel")
	defer f.Close()
	ours, err = net.FileConn(f)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}
