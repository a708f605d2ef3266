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

// Role is the kind of a load, the first argument of its process.
type Role string

// The roles.
const (
	Victim Role = "victim"
	Batch  Role = "batch"
)

// args are the arguments that follow Options.Load and tell a process its role.
func args(role Role, cpu, mib int, pause time.Duration, file string) []string {
	return []string{string(role), strconv.Itoa(cpu), strconv.Itoa(mib), pause.String(), file}
}

// process is a load that has been started. file is where it records its
// requests.
type process struct {
	cmd  *exec.Cmd
	gate io.WriteCloser
	file string
}

// launch starts a load, lets place assign it, and then lets it begin.
func launch(load []string, role Role, cpu, mib int, pause time.Duration, dir string, place func(pid int) error) (p *process, err error) {
	file := filepath.Join(dir, string(role))
	argv := append(append([]string{}, load...), args(role, cpu, mib, pause, file)...)
	p = &process{cmd: exec.Command(argv[0], argv[1:]...), file: file}
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
