// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/cachedir"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/labproto"
	"github.com/vlibos/vlibos/lab/qemu"
	"github.com/vlibos/vlibos/lab/saved"
)

// Under the emulator's name, this test program is an emulator. Its guest is prepared
// at once, and its command does nothing.
func init() {
	if filepath.Base(os.Args[0]) == qemu.Program {
		fmt.Fprintln(os.Stderr, "the emulator ends:", emulate())
		os.Exit(1)
	}
}

// The variable makes the emulator die or hang instead of answering a command of its
// monitor: COMMAND=die or COMMAND=hang.
const misbehaviour = "LAB_TEST_EMULATOR"

func emulate() error {
	monitor, channel := os.NewFile(3, "monitor"), os.NewFile(4, "channel")
	guest := labproto.NewConn(channel)
	if !slices.Contains(os.Args, "-incoming") {
		if err := guest.SendJSON(labproto.KindHello, labproto.Hello{Revision: labproto.Revision, Xen: "4.17", Kernel: "6.1"}); err != nil {
			return err
		}
		if f, err := guest.Receive(); err != nil || f.Kind != labproto.KindPlan {
			return fmt.Errorf("the plan: %v", err)
		}
		if err := guest.Send(labproto.KindPrepared, nil); err != nil {
			return err
		}
	}
	conn, err := net.FileConn(monitor)
	if err != nil {
		return err
	}
	in := bufio.NewScanner(conn)
	for in.Scan() {
		var request struct{ Execute string }
		if err := json.Unmarshal(in.Bytes(), &request); err != nil {
			return err
		}
		switch os.Getenv(misbehaviour) {
		case request.Execute + "=die":
			return errors.New("died of " + request.Execute)
		case request.Execute + "=hang":
			time.Sleep(time.Hour)
		}
		answer := `{"return": {}}`
		if request.Execute == "query-migrate" {
			answer = `{"return": {"status": "completed"}}`
		}
		fmt.Fprintln(conn, answer)
		if request.Execute == "cont" {
			if f, err := guest.Receive(); err != nil || f.Kind != labproto.KindJob {
				return fmt.Errorf("the job: %v", err)
			}
			guest.Send(labproto.KindRunning, nil)
			guest.SendJSON(labproto.KindExit, labproto.Exit{Status: 3})
		}
	}
	return in.Err()
}

// emulated returns a run with that emulator, and the store of its machines.
func emulated(t *testing.T, behaviour string) (*run, *delivery, *saved.Store) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, qemu.Program)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv(misbehaviour, behaviour)
	cache := filepath.Join(dir, "cache")
	t.Setenv("VLIBOS_CACHE", cache)
	c, err := Config{Args: []string{"true"}, BootTimeout: 30 * time.Second}.complete()
	if err != nil {
		t.Fatal(err)
	}
	files, err := newDelivery(c, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(files.close)
	r := &run{config: c, machine: ingredients(t)}
	r.again(&bytes.Buffer{})
	return r, files, savedIn(&image.Cache{Dir: cache})
}

// again makes r a new run of the same machine.
func (r *run) again(log *bytes.Buffer) {
	*r = run{config: r.config, machine: r.machine, console: newConsole(r.config.Console), begun: time.Now()}
	r.config.Notes = log
}

func TestEndedContextIsTheError(t *testing.T) {
	for _, command := range []string{"qmp_capabilities", "stop", "migrate", "query-migrate", "cont"} {
		t.Run(command, func(t *testing.T) {
			r, files, store := emulated(t, command+"=hang")
			ctx, stop := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, fmt.Errorf("%w after a while", ErrTimeout))
			defer stop()
			if err := r.run(ctx, files); !errors.Is(err, ErrTimeout) {
				t.Errorf("over: %v, want a timeout", err)
			}
			left, err := filepath.Glob(filepath.Join(store.Dir, "tmp-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left: %q, %v", left, err)
			}
		})
	}
}

func TestDeadEmulatorIsTheError(t *testing.T) {
	for _, command := range []string{"qmp_capabilities", "stop", "migrate", "query-migrate", "cont"} {
		t.Run(command, func(t *testing.T) {
			r, files, _ := emulated(t, command+"=die")
			err := r.run(t.Context(), files)
			if err == nil || !strings.Contains(err.Error(), "the emulator ended: exit status 1") {
				t.Errorf("got %v", err)
			}
			if tail := r.console.tail(); !strings.Contains(strings.Join(tail, "\n"), "the emulator ends:") {
				t.Errorf("console %q", tail)
			}
		})
	}
}

func TestMachineThatCannotContinueIsRemoved(t *testing.T) {
	for _, command := range []string{"migrate-incoming", "cont"} {
		t.Run(command, func(t *testing.T) {
			r, files, store := emulated(t, "")
			if err := r.run(t.Context(), files); err != nil || r.result.Status != 3 {
				t.Fatalf("status %d, %v, awaited %s, %q", r.result.Status, err, r.awaited, r.console.tail())
			}
			saved, err := store.List()
			if err != nil || len(saved) != 1 {
				t.Fatalf("saved: %v, %v", saved, err)
			}
			if locks, err := filepath.Glob(filepath.Join(store.Dir, "*.lock")); err != nil || len(locks) > 0 {
				t.Errorf("left: %q, %v", locks, err)
			}
			t.Setenv(misbehaviour, command+"=die")
			var log bytes.Buffer
			r.again(&log)
			err = r.run(t.Context(), files)
			said := log.String()
			if strings.Count(said, "\n") != 1 {
				t.Errorf("said %q, want one line", said)
			}
			if command == "migrate-incoming" {
				// The run boots the machine again, and saves it again.
				if err != nil || r.result.Status != 3 || r.result.Resumed || !strings.Contains(said, "died of "+command) {
					t.Errorf("status %d, %v, said %q, awaited %s, console %q", r.result.Status, err, said, r.awaited, r.console.tail())
				}
				return
			}
			if left, lerr := store.List(); err == nil || lerr != nil || len(left) > 0 {
				t.Errorf("after %v the store has %v, %v", err, left, lerr)
			}
		})
	}
}

func TestRunNeedsNoSavedMachine(t *testing.T) {
	for name, spoil := range map[string]func(folder string) error{
		"no lock": func(folder string) error { return os.MkdirAll(folder+".lock", 0o755) },
		// A damaged machine can neither be removed nor replaced.
		"no removal": func(folder string) error { return os.MkdirAll(folder+".machine/x", 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			r, files, store := emulated(t, "")
			key, err := r.machine.key("")
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(filepath.Join(store.Dir, key)); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			r.config.Notes = &log
			if err := r.run(t.Context(), files); err != nil || r.result.Status != 3 {
				t.Errorf("status %d, %v", r.result.Status, err)
			}
			if log.Len() == 0 {
				t.Error("no note says that nothing is saved")
			}
		})
	}
}

func TestWaitForAnotherRunIsAnnounced(t *testing.T) {
	r, files, store := emulated(t, "")
	key, err := r.machine.key("")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := cachedir.Lock(t.Context(), filepath.Join(store.Dir, key+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	r.config.Progress = func(stage string) {
		if strings.HasPrefix(stage, "waiting for another run") {
			unlock()
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := r.run(ctx, files); err != nil || r.result.Status != 3 {
		t.Errorf("status %d, %v", r.result.Status, err)
	}
}
