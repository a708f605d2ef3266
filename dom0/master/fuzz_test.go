// SPDX-License-Identifier: Apache-2.0

package master

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/rtsched"
)

// stateFile is the state of a master with a reservation of each kind.
func stateFile(f *testing.F) []byte {
	dir := f.TempDir()
	m, err := Open(f.Context(), fuzzedHost(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	_, err = m.Reserve(f.Context(), reservation("web", 40*ms, 100*ms))
	if err == nil {
		_, err = m.Reserve(f.Context(), threads(7, 20, "db"))
	}
	b, readErr := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil || readErr != nil || m.Close() != nil {
		f.Fatal(err, readErr)
	}
	return b
}

func fuzzedHost() *fakeHost {
	return newReservingHost(domain("1", "web", 0), domain("2", "db", 0, 1))
}

// With any state file, a master continues from it, or names the file that it
// cannot read. The host gets valid reservations only, and those of domains fit
// beside all others.
func FuzzState(f *testing.F) {
	whole := string(stateFile(f))
	f.Add(whole)
	for _, change := range [][2]string{
		{"100000000", "0"}, {"40000000", "90000000"}, {"40000000", "-1"}, {"40000000", "1e7"}, {"2048", "2049"}, {"2049", "0"},
		{"uuid-web", ""}, {"uuid-db", "uuid-web"}, {`"pid": 7`, `"pid": 9`}, {"[", "[null,"}, {"[", "{"}, {"}", "},"},
	} {
		f.Add(strings.Replace(whole, change[0], change[1], 1))
	}
	for _, text := range []string{"", "{", "null", "[]", "{}", `{"adopted":[{"uuid":"uuid-web"}]}`, `{"version":3,"reservations":[{"domain":{"uuid":"uuid-web"}}]}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, dir := fuzzedHost(), t.TempDir()
		file := filepath.Join(dir, "state.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(t.Context(), h, dir, slog.New(slog.DiscardHandler))
		if err != nil {
			if !strings.Contains(err.Error(), file) {
				t.Errorf("%v", err)
			}
			return
		}
		defer m.Close()
		if err := m.Review(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := m.List(t.Context()); err != nil {
			t.Error(err)
		}
		floor, late := h.Floor()
		for cpu := range 2 {
			tasks, domains := []rtsched.Task{floor}, 0
			for id, task := range h.tasks {
				if h.adopted[id] == "2" || h.adopted[id] == "1" && cpu == 0 {
					tasks, domains = append(tasks, task), domains+1
				}
			}
			for _, r := range h.threads {
				if err := r.Validate(); err != nil || h.adopted[r.ID] != "" {
					t.Errorf("%+v: %v", r, err)
				}
				if slices.Contains(h.on[r.Threads.PID], cpu) {
					tasks = append(tasks, r.Task)
				}
			}
			if miss := rtsched.Admit(tasks, late); miss != nil && domains > 0 {
				t.Errorf("CPU %d has %+v: %+v", cpu, tasks, miss)
			}
		}
	})
}
