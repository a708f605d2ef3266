// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// In the lab's DomUs this program is the server. It listens as no honest server
// would, and when Dom0 tells it to, it requests what a guest may not have.
//
// Nodes below its home: data/vlib/port is an event channel for Dom0; beat is a
// number that grows while the guest is well; task is work, written by Dom0;
// result is its result.
const guestProgram = "/usr/bin/vlib-server"

func TestMain(m *testing.M) {
	if os.Args[0] != guestProgram {
		testkit.Main(m)
	}
	err := runGuest(context.Background())
	fmt.Fprintln(os.Stderr, "guest:", err)
	os.Exit(1)
}

func runGuest(ctx context.Context) error {
	runtime.GOMAXPROCS(4) // a listening thread stops no other
	store, err := xenstore.Open(ctx)
	if err != nil {
		return err
	}
	h, err := xenctl.Open()
	if err != nil {
		return err
	}
	m, err := Open(h)
	if err != nil {
		return err
	}
	events, err := evtchn.Open()
	if err != nil {
		return err
	}
	port, err := events.BindUnbound(0)
	if err != nil {
		return err
	}
	for node, value := range map[string]string{"vlib/port": fmt.Sprint(port), "vlib/task": "", "vlib/result": "", "vlibos/1/server": "up"} {
		if err := store.Write(ctx, "data/"+node, []byte(value)); err != nil {
			return err
		}
	}
	failed := make(chan error, 3)
	s := &server{m: m, port: uint32(port)}
	go func() { failed <- s.serveBadly() }()
	go func() { failed <- s.obey(ctx, store) }()
	go func() {
		for n := 0; ; n++ {
			if err := store.Write(ctx, "data/vlib/beat", []byte(fmt.Sprint(n))); err != nil {
				failed <- err
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	err = <-failed
	return errors.Join(err, store.Write(ctx, "data/vlib/result", []byte("server: "+err.Error())))
}

// server is the guest's server; Dom0 can make it quiet.
type server struct {
	m              *Module
	port           uint32
	quiet, isQuiet atomic.Bool
}

// serveBadly listens, now and then with garbage, and stops only if a request
// succeeds that must be refused.
func (s *server) serveBadly() error {
	ask, port := s.m.values, s.port
	if d, err := OpenDirect(); err == nil {
		ask = func(cmd, a1, a2, a3, _ uint64) (uint64, error) { return d.values(cmd, a1, a2, a3) }
	}
	for {
		for s.quiet.Load() {
			s.isQuiet.Store(true)
			time.Sleep(time.Millisecond)
		}
		s.isQuiet.Store(false)
		cmd := uint64(opListen)
		if rand.IntN(3) == 0 {
			cmd = opComplete
		}
		served, flags, number := uint64(port), rand.Uint64N(2), uint64(0) // the call that it was told of
		if rand.IntN(10) == 0 {
			served, flags, number = rand.Uint64N(40), rand.Uint64()>>rand.IntN(64), rand.Uint64()>>rand.IntN(64)
		}
		r, err := ask(cmd, served, flags, number, 0)
		switch {
		case err == nil && (r == uint64(port) || cmd == opComplete && r == 0):
		case err == unix.EAGAIN && cmd == opListen, err == unix.EACCES, err == unix.EINVAL, err == unix.EPERM:
			time.Sleep(time.Millisecond)
		default:
			return fmt.Errorf("sub-operation %d, %#x, %#x: %#x, %v", cmd, served, flags, r, err)
		}
	}
}

// obey does the tasks that Dom0 writes.
func (s *server) obey(ctx context.Context, store *xenstore.Client) error {
	for {
		text, err := store.Read(ctx, "data/vlib/task")
		if err != nil {
			return err
		}
		if len(text) > 0 {
			result := "well"
			if err := s.task(string(text)); err != nil {
				result = err.Error()
			} else if !strings.HasPrefix(string(text), "fuzz") {
				result = string(text)
			}
			if err := store.Write(ctx, "data/vlib/task", nil); err != nil {
				return err
			}
			if err := store.Write(ctx, "data/vlib/result", []byte(result)); err != nil {
				return err
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// task does one task.
func (s *server) task(text string) error {
	var calls, seed uint64
	if _, err := fmt.Sscanf(text, "fuzz %d %d", &calls, &seed); err == nil {
		return fuzzAsGuest(s.m, calls, seed)
	}
	var number uint64
	if _, err := fmt.Sscanf(text, "done %d", &number); err == nil {
		return s.m.Complete(Served{Port: s.port, Number: number})
	}
	switch text {
	case "quiet":
		for s.quiet.Store(true); !s.isQuiet.Load(); {
			time.Sleep(time.Millisecond)
		}
	case "listen":
		s.quiet.Store(false)
	default:
		return fmt.Errorf("task %q", text)
	}
	return nil
}

// fuzzAsGuest requests everything, as a guest that may not even listen.
func fuzzAsGuest(m *Module, calls, seed uint64) error {
	invalid, err := badAddresses()
	if err != nil {
		return err
	}
	direct, err := OpenDirect()
	if err != nil && !errors.Is(err, ErrUnsupported) {
		return err
	}
	g := newGenerator(seed, []uint32{0, 1, 2, 0x7ff0}, map[uint32]uint32{0: 1}, invalid)
	for range calls {
		r := g.next()
		if direct != nil && r.mem == nil && g.IntN(2) == 0 {
			got, err := direct.values(r.cmd, r.a1, r.a2, r.a3)
			if err := refusedToUser(r.cmd, got, err); err != nil {
				return fmt.Errorf("from user mode: %v: %w", r, err)
			}
			continue
		}
		before := bytes.Clone(r.mem)
		got, err := r.make(m)
		if err := refusedToGuest(r, got, err); err != nil {
			return fmt.Errorf("%v: %w", r, err)
		}
		if err == unix.EBADMSG {
			binary.LittleEndian.PutUint32(before, abiVersion) // so that the caller can report both
		}
		if !bytes.Equal(before, r.mem) {
			return fmt.Errorf("%v: was %x", r, before)
		}
	}
	return refusedInOrder(m)
}

// refusedToUser returns what is wrong with an answer to user mode.
func refusedToUser(cmd, result uint64, err error) error {
	switch {
	case cmd == opVersion && err == nil && result == abiVersion:
	case (cmd == opListen || cmd == opComplete) && (err == unix.EACCES || err == unix.EINVAL || err == unix.EPERM):
	case cmd > opComplete && err == unix.EPERM:
	default:
		return fmt.Errorf("%#x, %v", result, err)
	}
	return nil
}

// refusedToGuest returns what is wrong with an answer to a guest's kernel. A
// malformed request may be refused as malformed; no request may succeed.
func refusedToGuest(r request, result uint64, err error) error {
	if r.cmd == opVersion && err == nil && result == abiVersion {
		return nil
	}
	if err == nil {
		return fmt.Errorf("succeeded with %#x", result)
	}
	switch err {
	case unix.EPERM, unix.EACCES, unix.EFAULT, unix.EBADMSG, unix.ESRCH, unix.EOPNOTSUPP, unix.EINVAL, unix.ERANGE:
		return nil
	}
	return err
}

// refusedInOrder makes each operation with valid arguments.
func refusedInOrder(m *Module) error {
	_, info := m.Info()
	_, reservation := m.Reservation(1)
	_, domain := m.Domain(0)
	_, cpu := m.CPU(0)
	_, counters := m.Counters(0)
	_, hold := m.Hold(0, 1)
	_, call := m.Call(1, Request{0, 1, 1}, time.Second)
	_, listen := m.Listen(Served{})
	for name, err := range map[string]error{
		"Info": info, "Reservation": reservation, "Domain": domain, "CPU": cpu, "Counters": counters, "Call": call, "Listen": listen,
		"Complete": m.Complete(Served{}), "Reserve": m.Reserve(1, time.Millisecond, time.Second), "Unreserve": m.Unreserve(1),
		"Adopt": m.Adopt(0, 1), "Allow": m.Allow(0, 1), "Disallow": m.Disallow(0, 1), "SetDomain": m.SetDomain(0, Listens, 0),
		"Throttle": m.Throttle(0, time.Second, time.Second), "Lease": m.Lease(time.Second), "Charge": m.Charge(1, 1),
		"Cancel": m.CancelAll(1), "Finish": m.FinishAll(1), "Hold": hold, "Drop": m.Drop(0, 1),
	} {
		if !errors.Is(err, fs.ErrPermission) || strings.Contains(fmt.Sprint(err), "%!") {
			return fmt.Errorf("%s: %w, want a refusal", name, err)
		}
	}
	return nil
}
