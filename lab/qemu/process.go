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
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running emulator. It ends at the latest with its context, its Close,
// or the process that started it, however that ends.
type Process struct {
	// Channel is the virtio-serial port: the guest's bytes in both directions.
	Channel net.Conn

	monitor *monitor
	stop    context.CancelFunc
	done    chan struct{}
	err     error // valid when done is closed
	once    sync.Once
}

// Start starts the machine, and loads it if it is a saved one. Serial output and
// then the emulator's own messages go to console, which must be safe for concurrent
// use. The caller closes the Process.
func Start(ctx context.Context, m Machine, console io.Writer) (*Process, error) {
	channel, channelEnd, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("channel to the guest: %w", err)
	}
	control, controlEnd, err := socketPair()
	if err != nil {
		channel.Close()
		channelEnd.Close()
		return nil, fmt.Errorf("the emulator's monitor: %w", err)
	}
	p := &Process{Channel: channel, monitor: newMonitor(control), done: make(chan struct{})}
	// If our copies of its ends stayed open, we would not notice its death.
	closeEnds := func() {
		channelEnd.Close()
		controlEnd.Close()
	}
	args, err := m.arguments(channelEnd, controlEnd)
	if err != nil {
		closeEnds()
		p.disconnect()
		return nil, err
	}
	ctx, p.stop = context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, args.program, args.list...)
	cmd.Env = append(os.Environ(), args.env...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = args.files
	// In its own process group, a terminal's ctrl-c is left to this program.
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	cmd.WaitDelay = time.Second
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig (prctl(2)) when the thread that forked ends, so
		// that thread must live as long as the emulator.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	err = <-started
	closeEnds()
	if err != nil {
		p.stop()
		p.disconnect()
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	if m.Saved != nil {
		if err := p.resume(m); err != nil {
			p.Close()
			return nil, fmt.Errorf("resume a saved machine: %w", err)
		}
	}
	return p, nil
}

// resume loads a saved machine. The shared file stays as the plugin has set it up.
func (p *Process) resume(m Machine) error {
	if m.Shared == nil {
		return p.monitor.migrate("migrate-incoming", m.Saved)
	}
	// Once it answers, the emulator has started the plugin.
	if err := p.monitor.execute("query-status", nil, nil, nil); err != nil {
		return err
	}
	shared := make([]byte, m.SharedBytes)
	if _, err := m.Shared.ReadAt(shared, 0); err != nil {
		return err
	}
	if err := p.monitor.migrate("migrate-incoming", m.Saved); err != nil {
		return err
	}
	_, err := m.Shared.WriteAt(shared, 0)
	return err
}

// Stop stops the machine until Continue.
func (p *Process) Stop() error { return p.monitor.execute("stop", nil, nil, nil) }

// Save writes the state of a stopped machine to f, from f's offset on.
func (p *Process) Save(f *os.File) error { return p.monitor.migrate("migrate", f) }

// Continue resumes a machine that was stopped or loaded.
func (p *Process) Continue() error { return p.monitor.execute("cont", nil, nil, nil) }

// Done is closed when the emulator has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the emulator ended; nil means a power-off. It may be called once
// Done is closed.
func (p *Process) Err() error { return p.err }

// Close kills the emulator, waits for its end, and closes the channel.
func (p *Process) Close() error {
	p.once.Do(func() {
		p.stop()
		<-p.done
		p.disconnect()
	})
	return nil
}

func (p *Process) disconnect() {
	p.Channel.Close()
	p.monitor.conn.Close()
}

// Version returns the emulator's version with that of the distribution's package,
// for example "7.2.18 (Debian 1:7.2+dfsg-7+deb12u16)".
func Version(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, Program, "--version").Output()
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(out), "\n")
	version, ok := strings.CutPrefix(line, "QEMU emulator version ")
	if !ok {
		return "", errors.New("cannot read the output of " + Program + " --version")
	}
	return version, nil
}

func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "emulator's end")
	f := os.NewFile(uintptr(fds[0]), "our end")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}
