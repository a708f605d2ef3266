// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// Role is a load's kind, the first argument of its process.
type Role string

// The roles.
const (
	Victim Role = "victim"
	Batch  Role = "batch"
)

// args are how a process is told its role, behind Options.Load.
func args(role Role, cpu, mib int, pause time.Duration, file string) []string {
	return []string{string(role), strconv.Itoa(cpu), strconv.Itoa(mib), pause.String(), file}
}

// process is a load that has begun.
type process struct {
	cmd   *exec.Cmd
	gate  io.WriteCloser
	tally string
}

// launch starts a load, lets place put it where it belongs, and has it begin.
func launch(load []string, role Role, cpu, mib int, pause time.Duration, dir string, place func(pid int) error) (p *process, err error) {
	file := filepath.Join(dir, string(role))
	argv := append(append([]string{}, load...), args(role, cpu, mib, pause, file)...)
	p = &process{cmd: exec.Command(argv[0], argv[1:]...), tally: file}
	p.cmd.Stderr = os.Stderr
	if p.gate, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err = place(p.cmd.Process.Pid); err == nil {
		_, err = p.gate.Write([]byte{100})
	}
	for end := time.Now().Add(20 * time.Second); err == nil; time.Sleep(5 * time.Millisecond) {
		var s *requestlatency.Source
		if s, err = requestlatency.Open(file, 0, nil); err == nil {
			var r requestlatency.Reading
			if err = errors.Join(s.Take(&r), s.Close()); err == nil && r.Requests > 0 {
				return p, nil
			}
			continue
		}
		if time.Now().Before(end) {
			err = nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s: %w", role, err), p.stop())
}

func (p *process) stop() error {
	return errors.Join(p.gate.Close(), p.cmd.Wait())
}
