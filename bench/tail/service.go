// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vlibos/vlibos/bench"
)

// Program is memcached.
type Program struct {
	Path string
	// Libraries are the paths of the libraries that the machine lacks.
	Libraries []string
}

// env is the environment in which it finds its libraries.
func (p Program) env() []string {
	var dirs []string
	for _, l := range p.Libraries {
		dirs = append(dirs, filepath.Dir(l))
	}
	slices.Sort(dirs)
	if dirs = slices.Compact(dirs); len(dirs) == 0 {
		return os.Environ()
	}
	return append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(dirs, ":"))
}

// Find looks for an installed memcached.
func Find() (Program, error) {
	path, err := exec.LookPath("memcached")
	if err != nil {
		return Program{}, fmt.Errorf("the service is memcached: %w (apt-get install memcached)", err)
	}
	return Program{Path: path}, nil
}

// service is a memcached of this experiment's own, on the loopback interface.
type service struct {
	cmd     *exec.Cmd
	address string
	said    bytes.Buffer
}

// patience limits the time in which the service starts, on a busy machine.
const patience = 30 * time.Second

// start starts it on a CPU.
func (p Program) start(ctx context.Context, cpu int) (*service, error) {
	// A port that is free now.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &service{address: l.Addr().String()}
	_, port, err := net.SplitHostPort(s.address)
	if err := errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	// Room for all data, no UDP, one worker as for one CPU.
	s.cmd = exec.Command(p.Path, "-u", "nobody", "-l", "127.0.0.1", "-p", port, "-U", "0", "-m", "512", "-t", "1")
	s.cmd.Env = p.env()
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	// A terminal's interrupt is for the experiment, which then ends the
	// service. If the experiment is killed, the kernel ends it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := bench.StartOn(s.cmd, cpu); err != nil {
		return nil, fmt.Errorf("start the service: %w", err)
	}
	for end := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp4", s.address)
		if err == nil {
			return s, c.Close()
		}
		if time.Now().After(end) || ctx.Err() != nil {
			stopped := s.stop()
			return nil, errors.Join(fmt.Errorf("the service does not answer: %w: %s", err, s.said.String()), ctx.Err(), stopped)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stop ends the service. An end by a signal is no error.
func (s *service) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = s.cmd.Wait()
	return nil
}
