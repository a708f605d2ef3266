// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// monitor is the emulator's control channel: QMP, one JSON object a line (QEMU's
// docs/interop/qmp-spec). It is safe for concurrent use; commands run one at a
// time.
type monitor struct {
	conn *net.UnixConn

	mu    sync.Mutex
	in    *json.Decoder
	ready bool // capabilities have been negotiated
}

func newMonitor(conn *net.UnixConn) *monitor {
	return &monitor{conn: conn, in: json.NewDecoder(conn)}
}

// execute runs a command with its arguments. If file is not nil, it is passed along;
// if result is not nil, the answer is decoded into it.
func (m *monitor) execute(command string, arguments any, file *os.File, result any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ready {
		if err := m.exchange("qmp_capabilities", nil, nil, nil); err != nil {
			return err
		}
		m.ready = true
	}
	return m.exchange(command, arguments, file, result)
}

func (m *monitor) exchange(command string, arguments any, file *os.File, result any) error {
	request, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{command, arguments})
	if err != nil {
		return err
	}
	var rights []byte
	if file != nil {
		rights = unix.UnixRights(int(file.Fd()))
	}
	if _, _, err := m.conn.WriteMsgUnix(append(request, '\n'), rights, nil); err != nil {
		return fmt.Errorf("emulator's monitor: %s: %w", command, err)
	}
	for {
		// The greeting and events have neither field, and are skipped.
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := m.in.Decode(&answer); err != nil {
			return fmt.Errorf("emulator's monitor: %s: %w", command, err)
		}
		switch {
		case answer.Error != nil:
			return fmt.Errorf("emulator's monitor: %s: %s", command, answer.Error.Desc)
		case answer.Return != nil && result != nil:
			return json.Unmarshal(answer.Return, result)
		case answer.Return != nil:
			return nil
		}
	}
}

// migrationPoll is the time between two questions whether a machine has been saved
// or loaded.
const migrationPoll = 5 * time.Millisecond

// migrate saves the machine to a file ("migrate") or loads it from one
// ("migrate-incoming"), and returns when that is done.
func (m *monitor) migrate(command string, f *os.File) error {
	if err := m.execute("migrate-set-parameters", map[string]any{"max-bandwidth": int64(1) << 40}, nil, nil); err != nil {
		return err
	}
	const name = "saved"
	if err := m.execute("getfd", map[string]any{"fdname": name}, f, nil); err != nil {
		return err
	}
	if err := m.execute(command, map[string]any{"uri": "fd:" + name}, nil, nil); err != nil {
		return err
	}
	for {
		var info struct {
			Status string
			Desc   string `json:"error-desc"`
		}
		if err := m.execute("query-migrate", nil, nil, &info); err != nil {
			return err
		}
		switch info.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			return errors.New("emulator: " + command + ": " + info.Status + ": " + info.Desc)
		}
		time.Sleep(migrationPoll)
	}
}
