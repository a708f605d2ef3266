// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

// keeping is the state of the keeper's thread on this machine. Its methods are
// for that thread.
type keeping struct {
	*keeper.Keeper
	layout  layout
	servers string // the folder of the domains' servers
	parent  *group
	alarm   *alarm // nil: the machine has none for the parent

	lease      time.Duration // for which reservations may pay
	heavy      bool          // the parent weighs more than its siblings
	byPriority bool          // foreground is threads' priority, not a cgroup's weight
	swept      bool          // what earlier processes left is undone
	adopted    map[string]*adopted
	callees    map[string]*callee
	watch      watch
}

func startKeeping(o Options, l layout) (_ *keeping, err error) {
	k := &keeping{
		layout: l, servers: o.Servers, adopted: make(map[string]*adopted), callees: make(map[string]*callee),
		lease: firstLease, watch: watch{sleepers: make(map[*adopted]bool), awake: make(map[*adopted]bool)},
	}
	if k.byPriority, err = byPriority(l); err != nil {
		return nil, err
	}
	if k.parent, err = openGroup(l, ""); err != nil {
		return nil, err
	}
	var files []int
	if l.usage.version == 2 {
		if k.alarm, _ = openAlarm(l.usage.dir); k.alarm != nil { // without an alarm the keeper looks
			files = append(files, k.alarm.epoll)
		}
	}
	k.Keeper = keeper.New(keeper.Options{
		Guard: o.Guard, Files: files, Also: k.also, Renewed: k.renewed, Late: k.late, Depleted: o.Depleted,
	})
	if err := k.Start(); err != nil {
		return nil, errors.Join(err, k.free())
	}
	return k, nil
}

// free closes all open files.
func (k *keeping) free() error {
	err := k.parent.close()
	if k.alarm != nil {
		err = errors.Join(err, k.alarm.close())
	}
	return err
}

// stop leaves domains in background: without a keeper no foreground would end.
func (k *keeping) stop() (bool, error) {
	if k.Do(context.Background(), k.Lift) != nil {
		return false, nil // it was stopped before
	}
	first, err := k.Close(k.Lease().Guard() != 0 && k.layout.anyFrozen()) // by gates
	return first, errors.Join(err, k.free())
}

// also does the work that is due besides looks at entries.
func (k *keeping) also() time.Duration {
	now := clock.Monotonic()
	if k.watch.due <= now || k.watch.armed {
		k.watchSleepers()
	}
	return k.watch.due
}

// renewed gives callees' servers the lease that this process has. Once, it
// undoes what earlier processes did to domains that are not adopted now, and
// that no guard has undone. After a lost lease gates are open and throttles are
// over, and weights have to be set again.
func (k *keeping) renewed(d time.Duration, lost bool) (err error) {
	k.lease = d
	for _, c := range k.callees {
		c.reapply = c.reapply || lost
		if c.book != nil {
			_ = c.book.Renew(d) // if the file is gone, the next look finds that
		}
	}
	if lost {
		for _, d := range k.adopted {
			d.gated = false
		}
		k.heavy = false
		err = k.weighParent()
	}
	if k.swept {
		return err
	}
	swept := restoreAll(k.layout.cpu.dir, k.layout.cpu.version, func(name string) bool {
		return name == "" && k.heavy || k.adopted[name] != nil || k.callees[name] != nil
	}, true)
	k.swept = swept == nil
	return errors.Join(err, swept)
}

// weighParent makes the parent heavy as long as a cgroup below it has a claim
// to CPU time: adopted domains that are raised by weight, and callees.
func (k *keeping) weighParent() error {
	want := len(k.callees) > 0 || len(k.adopted) > 0 && !k.byPriority
	if want == k.heavy {
		return nil
	}
	var err error
	if want { // and light while the keeper is late: it may wait for its own process
		k.WriteWhenLate(int(k.parent.dial.weight.Fd()), strconv.Itoa(lightest.of(k.parent.version)))
		err = k.parent.setWeight(parental)
	} else {
		err = k.parent.restore()
	}
	if err == nil {
		k.heavy = want
	}
	if !k.heavy {
		k.WriteWhenLate(-1, "")
	}
	return err
}

// late makes the parent heavy again, and has callees raised again: their threads are
// ordinary ones now.
func (k *keeping) late() {
	for _, c := range k.callees {
		c.reapply = true
	}
	if k.heavy {
		_ = k.parent.dial.write(k.parent.dial.last) // a cgroup that is gone has no weight
	}
}

// byPriority reports whether domains below the parent are raised by real-time
// priority, and not by weight: before Linux 6.6 a cgroup that ran at the lowest
// weight has to make up for that, however heavy it becomes, before it runs
// again. A kernel that shares real-time among cgroups of version 1 refuses it
// to those without a share, and the sum of all shares of a machine is at most
// one CPU's.
func byPriority(l layout) (bool, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false, os.NewSyscallError("uname", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return false, fmt.Errorf("release %q of the kernel: %w", release, err)
	}
	_, err := os.Stat(filepath.Join(l.cpu.dir, "cpu.rt_runtime_us"))
	return (major < 6 || major == 6 && minor < 6) && err != nil, nil
}

// raise makes a cgroup run before all with longer periods, or after all that
// are not idle. The cgroup of real-time threads is idle all the time, which
// matters to them only while they are ordinary ones.
func (k *keeping) raise(g *group, period time.Duration, foreground bool) error {
	if k.byPriority {
		priority := 0
		if foreground {
			priority = rtsched.Priority(period, keeper.Levels)
		}
		err := g.setIdle()
		if err == nil {
			err = k.prioritise(g, priority)
		}
		if !errors.Is(err, unix.EPERM) {
			return err
		}
		if err := k.useWeights(); err != nil {
			return err
		}
	}
	if foreground {
		return g.setWeight(heaviest)
	}
	return g.setIdle()
}

// prioritise gives the threads of a cgroup a priority, and watches those that are
// real-time.
func (k *keeping) prioritise(g *group, priority int) error {
	all, err := prioritise(g.dir, g.version, priority, func(tid int) {
		if priority > 0 {
			k.Watch(tid, unix.SCHED_NORMAL)
		}
	})
	switch {
	case priority > 0:
		k.unwatch(g, all)
		g.realtime = all
	case err == nil:
		k.unwatch(g, nil)
	}
	return err
}

// unwatch ends the watch over the real-time threads of a cgroup, but over some.
func (k *keeping) unwatch(g *group, but []int) {
	stays := make(map[int]bool, len(but))
	for _, tid := range but {
		stays[tid] = true
	}
	for _, tid := range g.realtime {
		if !stays[tid] {
			k.Unwatch(tid)
		}
	}
	g.realtime = nil
}

// useWeights stops using real-time threads, because this kernel or this
// process' rights do not allow them.
func (k *keeping) useWeights() error {
	k.byPriority = false
	for e := range k.Entries() {
		e.Reapply()
	}
	for _, c := range k.callees {
		c.reapply = true
	}
	return k.weighParent()
}

// lower gives a cgroup the settings that it had. It ignores a cgroup that is
// gone.
func (k *keeping) lower(g *group) error {
	var err error
	if k.byPriority {
		err = setPriority(g.dir, g.version, 0)
	}
	k.unwatch(g, nil)
	return gone(errors.Join(err, g.restore()))
}

// gone drops the error of a cgroup that is gone.
func gone(err error) error {
	if cgroup.Gone(err) {
		return nil
	}
	return err
}
