// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall"
	transport "github.com/vlibos/vlibos/vlibcall/transport/native"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// spinner is a process that spins on one CPU.
func spinner(t *testing.T, cpu int) host.Members {
	t.Helper()
	cmd := exec.Command("sh", "-c", spin)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	taskset(t, cmd, cpu)
	return host.Members{PID: cmd.Process.Pid}
}

func reserve(t *testing.T, p *Host, id uint32, m host.Members, budget, period time.Duration, called ...host.Domain) {
	t.Helper()
	if err := p.Renew(time.Minute); err != nil {
		t.Fatal(err)
	}
	r := host.Reservation{Task: rtsched.Task{ID: id, Budget: budget, Period: period}, Holder: host.Holder{Threads: &m}, Callees: callees(called...)}
	if err := p.Reserve(ctx, r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Unreserve(ctx, threadsOn(id)); err != nil {
			t.Error(err)
		}
	})
}

func reserved(t *testing.T, p *Host, id uint32) host.Usage {
	t.Helper()
	u, err := p.Usage(ctx, threadsOn(id))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A process that spins has its budget in foreground, and is in background then.
func TestReserveSpinner(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		m := spinner(t, lastCPU(t, p))
		reserve(t, p, 1, m, 10*ms, 100*ms)
		first, begun := reserved(t, p, 1), time.Now()
		seen := map[uint32]bool{}
		// On one CPU no other sees a thread that goes before all others.
		both := func() bool {
			return seen[unix.SCHED_IDLE] && (seen[unix.SCHED_FIFO] || runtime.NumCPU() == 1)
		}
		for time.Since(begun) < time.Second || !both() && time.Since(begun) < 20*time.Second {
			seen[policy(t, m.PID)] = true
			time.Sleep(ms)
		}
		last, took := reserved(t, p, 1), time.Since(begun)
		front := last.Foreground - first.Foreground
		t.Logf("in %v: %v in foreground, %v in background; policies %v", took, front, last.Background-first.Background, seen)
		if !both() {
			t.Errorf("policies %v", seen)
		}
		// One period more may have begun than ended; and what is too much, by a
		// keeper that was late, is paid back later.
		if most := (took/(100*ms) + 1) * 40 * ms; front > most || front == 0 {
			t.Errorf("%v of foreground in %v, want at most %v", front, took, most)
		}
		if err := p.Unreserve(ctx, threadsOn(1)); err != nil {
			t.Fatal(err)
		}
		if got := policy(t, m.PID); got != unix.SCHED_NORMAL {
			t.Errorf("released, it has policy %d", got)
		}
	})
}

// A process goes back to the cgroup that it came from, also by a master that has
// only found its reservation.
func TestUnreserveMovesBackToTheOrigin(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		trees, err := cgroup.Trees()
		if err != nil {
			t.Fatal(err)
		}
		tree := trees[0] // that of reservations
		home := fmt.Sprintf("/vlibos-test-home-%d", os.Getpid())
		dir := filepath.Join(tree.Root, home)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := evacuate(dir, tree.Root, time.Second); err != nil {
				t.Error(err)
			}
		})
		m := spinner(t, lastCPU(t, p))
		if err := cgroup.Write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(m.PID)); err != nil {
			t.Fatal(err)
		}
		for _, restarted := range []bool{false, true} {
			q := open1(t, o)
			r := host.Reservation{Task: rtsched.Task{ID: 9, Budget: 10 * ms, Period: 100 * ms}, Holder: host.Holder{Threads: &m}}
			if err := q.Reserve(ctx, r); err != nil {
				t.Fatal(err)
			}
			if restarted {
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
				q, r.Resume = open1(t, o), true
				if err := q.Reserve(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			if at, err := tree.Of(m.PID); err != nil || at == home {
				t.Errorf("on its reservation it is in %q, %v", at, err)
			}
			if err := q.Unreserve(ctx, threadsOn(9)); err != nil {
				t.Fatal(err)
			}
			if at, err := tree.Of(m.PID); err != nil || at != home {
				t.Errorf("restarted %v: it is in %q, %v, want %q", restarted, at, err, home)
			}
		}
	})
}

// Threads get the policies back that they had.
func TestUnreserveRestoresPolicies(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		for _, was := range []unix.SchedAttr{{Policy: unix.SCHED_NORMAL, Nice: 7}, {Policy: unix.SCHED_BATCH, Nice: 5}, {Policy: unix.SCHED_IDLE}} {
			m := spinner(t, lastCPU(t, p))
			was.Size = unix.SizeofSchedAttr
			if err := unix.SchedSetAttr(m.PID, &was, 0); err != nil {
				t.Fatal(err)
			}
			reserve(t, p, 1, m, 10*ms, 100*ms)
			testkit.Eventually(t, "it is on the reservation", func() bool { return policy(t, m.PID) == unix.SCHED_IDLE })
			if err := p.Unreserve(ctx, threadsOn(1)); err != nil {
				t.Fatal(err)
			}
			attr, err := unix.SchedGetAttr(m.PID, 0)
			if err != nil || attr.Policy != was.Policy || attr.Nice != was.Nice {
				t.Errorf("%+v, %v, want %+v", attr, err, was)
			}
		}
	})
}

// backgrounded reports whether a domain has what others leave.
func backgrounded(t *testing.T, p *Host, name string) bool {
	t.Helper()
	if p.k.byPriority {
		tids, err := p.Threads(name)
		if err != nil {
			t.Fatal(err)
		}
		return policy(t, tids[0]) != unix.SCHED_FIFO
	}
	return content(t, filepath.Join(p.layout.cpu.dir, name, "cpu.idle")) == "1"
}

// What a process uses and what it makes a callee use are one account, to the
// look; and the callee is in background when the budget is gone.
func TestReserveCaller(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		db := startServer(t, p, "db")
		m, begin, _ := startCaller(t, p, "db")
		reserve(t, p, 7, m, 10*ms, 100*ms, db)
		begin(7)
		first, begun := reserved(t, p, 7), time.Now()
		testkit.Eventually(t, "the callee is in background, and in foreground again", func() bool { return backgrounded(t, p, "db") })
		testkit.Eventually(t, "the callee is in foreground", func() bool { return !backgrounded(t, p, "db") })
		testkit.Eventually(t, "ten budgets are used", func() bool { return reserved(t, p, 7).Foreground-first.Foreground >= 95*ms })
		last, took := reserved(t, p, 7), time.Since(begun)
		front, all := last.Foreground-first.Foreground, last.Foreground+last.Background
		if most := (took/(100*ms) + 1) * 40 * ms; front > most {
			t.Errorf("%v of foreground in %v, want at most %v", front, took, most)
		}
		// The kernel's and the server's counters agree; the caller still runs.
		book, err := ledger.OpenReader(filepath.Join(p.k.servers, "db"))
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		slot, err := book.Read(7)
		if err != nil {
			t.Fatal(err)
		}
		var own time.Duration
		if err := p.k.Do(ctx, func() { own = p.k.callees["db"].users[7].threads.Used() }); err != nil {
			t.Fatal(err)
		}
		t.Logf("in %v: %v in foreground, %v in total: own %v, callee's %v, %d budgets ended there", took, front, all, own, slot.Used, slot.Deschedules)
		if math.Abs(float64(all-own-slot.Used)) > 0.1*float64(all) || own < all/4 || slot.Used < all/4 {
			t.Errorf("%v are charged, own %v and callee's %v", all, own, slot.Used)
		}
		if slot.Deschedules == 0 || slot.Background == 0 {
			t.Errorf("%+v", slot)
		}
	})
}

// A caller that is killed frees its budget, and what its callee is still at is
// no reservation's.
func TestReserveCallerDies(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		db := startServer(t, p, "db")
		other := spinner(t, lastCPU(t, p))
		reserve(t, p, 8, other, 10*ms, 100*ms, db)
		m, begin, kill := startCaller(t, p, "db")
		reserve(t, p, 7, m, 80*ms, 100*ms, db)
		c, err := vlibcall.Open(ctx, transport.Domain(filepath.Join(p.k.servers, "db")), vlibcall.Options{Size: 8192, Reservation: 7})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		waits, giveUp := context.WithCancel(ctx)
		pending := c.Go(waits, "t", "loop", nil, nil)
		serving := func() (r uint32) {
			if err := p.k.Do(ctx, func() { r = p.k.callees["db"].claim().Serving }); err != nil {
				t.Fatal(err)
			}
			return r
		}
		testkit.Eventually(t, "the callee is at the endless call", func() bool { return serving() == 7 })
		begin(7) // behind it: what begins later would be refused, and not run
		kill()
		testkit.Eventually(t, "the reservation has ended", func() bool {
			_, err := p.Usage(ctx, threadsOn(7))
			return errors.Is(err, host.ErrNoMembers)
		})
		testkit.Eventually(t, "the callee is in background", func() bool { return backgrounded(t, p, "db") })
		giveUp()
		if _, err := pending.Result(); !errors.Is(err, vlibcall.ErrTimeout) {
			t.Errorf("given up: %v", err)
		}
		if _, err := c.Call(ctx, "t", "use", []byte{1}, nil); !errors.Is(err, vlibcall.ErrDenied) || c.LateAnswers() != 1 {
			t.Errorf("on a reservation that has ended: %v, %d late answers", err, c.LateAnswers())
		}
		// The budget is free, the server serves on.
		m, begin, _ = startCaller(t, p, "db")
		reserve(t, p, 7, m, 80*ms, 100*ms, db)
		begin(7)
		testkit.Eventually(t, "the next caller's calls are paid", func() bool { return reserved(t, p, 7).Foreground > 20*ms })
	})
}

// thread starts one that sleeps, and returns its number and what ends it. It is
// not the process' first, which never ends, and may be a keeper's.
func thread() (tid int, end func()) {
	stop, ended, tids := make(chan bool), make(chan bool), make(chan int)
	var run func()
	run = func() {
		lockThread()
		if unix.Gettid() == unix.Getpid() {
			go run()
			<-stop
			return
		}
		defer close(ended)
		tids <- unix.Gettid()
		<-stop
	}
	go run()
	return <-tids, func() {
		close(stop)
		<-ended
	}
}

// One thread of this process, and not the others.
func TestReserveThread(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		tid, end := thread()
		other, endOther := thread()
		defer endOther()
		reserve(t, p, 5, host.Members{PID: unix.Getpid(), TID: tid}, 10*ms, 100*ms)
		if got := policy(t, tid); got != unix.SCHED_FIFO {
			t.Errorf("policy %d", got)
		}
		if got := policy(t, other); got != unix.SCHED_NORMAL {
			t.Errorf("another thread of the process has policy %d", got)
		}
		if err := p.Reserve(ctx, host.Reservation{
			Task: rtsched.Task{ID: 6, Budget: ms, Period: 10 * ms}, Holder: host.Holder{Threads: &host.Members{PID: unix.Getpid(), TID: tid, Start: 1}},
		}); !errors.Is(err, host.ErrNoMembers) {
			t.Errorf("another with its number: %v", err)
		}
		end()
		testkit.Eventually(t, "the reservation has ended", func() bool {
			_, err := p.Usage(ctx, threadsOn(5))
			return errors.Is(err, host.ErrNoMembers)
		})
	})
}
