// SPDX-License-Identifier: Apache-2.0

package native

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/platform"
)

// keeper keeps the budgets of all adopted domains, in one thread with one
// timer. All fields but those under mu are that thread's; others have it run
// functions.
type keeper struct {
	thread   thread
	parent   *group
	weights  bool // foreground is a cgroup's weight, not its threads' priority
	kept     map[string]*kept
	order    schedule
	watch    watch
	lateness time.Duration // the largest with which a look began

	mu     sync.Mutex
	queue  []func()
	closed bool
	event  int // eventfd; not used after closed
	ended  chan struct{}
}

func startKeeper(parent *group, weights bool) (*keeper, error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	k := &keeper{parent: parent, weights: weights, kept: map[string]*kept{}, event: event, ended: make(chan struct{})}
	go k.run()
	return k, nil
}

// stop leaves all domains as they are, but in background: nobody would end a
// foreground.
func (k *keeper) stop() error {
	var errs []error
	if k.do(context.Background(), func() {
		for _, d := range k.kept {
			if err := k.raise(d, false); !gone(err) {
				errs = append(errs, err)
			}
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.closed = true
	}) != nil {
		return nil // it was stopped before
	}
	<-k.ended
	errs = append(errs, unix.Close(k.event), k.parent.close())
	for _, d := range k.kept {
		errs = append(errs, d.group.close())
	}
	return errors.Join(errs...)
}

// do has the keeper run f, and returns when it has. os.ErrClosed if it will not.
func (k *keeper) do(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan struct{})
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return fmt.Errorf("platform native: %w", os.ErrClosed)
	}
	k.queue = append(k.queue, func() { f(); close(done) })
	// The counter cannot be full, which is the one error there could be.
	_, _ = unix.Write(k.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	k.mu.Unlock()
	<-done
	return nil
}

func (k *keeper) run() {
	defer close(k.ended)
	// The thread ends with this goroutine: it becomes real-time and is on one
	// CPU.
	runtime.LockOSThread()
	for k.commands() {
		now := monotonic()
		for len(k.order) > 0 && k.order[0].due <= now {
			k.lateness = max(k.lateness, now-k.order[0].due)
			k.look(k.order[0])
		}
		if k.watch.due <= now {
			k.watchSleepers()
		}
		k.wait(k.next() - monotonic())
	}
}

// commands runs what others asked for, and reports whether to go on.
func (k *keeper) commands() bool {
	for {
		k.mu.Lock()
		queue, closed := k.queue, k.closed
		k.queue = nil
		k.mu.Unlock()
		for _, f := range queue {
			f()
		}
		if len(queue) == 0 {
			return !closed
		}
	}
}

func (k *keeper) next() time.Duration {
	if len(k.order) > 0 {
		return min(k.order[0].due, k.watch.due)
	}
	return k.watch.due
}

// wait sleeps for that long or until there are commands.
func (k *keeper) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	fds := []unix.PollFd{{Fd: int32(k.event), Events: unix.POLLIN}}
	timeout := unix.NsecToTimespec(int64(min(d, time.Hour)))
	if n, _ := unix.Ppoll(fds, &timeout, nil); n > 0 {
		var b [8]byte
		_, _ = unix.Read(k.event, b[:])
	}
}

// add begins to keep a domain. What it has used up to now is nobody's.
func (k *keeper) add(d *kept) error {
	if len(k.kept) == 0 {
		// Not before: a process with a real-time thread may enter no cgroup.
		if k.thread.start(); !k.thread.realtime {
			k.weights = true
		}
		if k.weights {
			if err := k.parent.setWeight(parental); err != nil {
				return err
			}
		}
	}
	now := monotonic()
	var err error
	if d.total, err = d.group.usage(); err == nil {
		d.raw, d.Seen = d.total, now
		err = k.raise(d, true)
	}
	if err == nil {
		d.parentSeen, err = k.parent.usage()
	}
	if err != nil {
		if len(k.kept) == 0 {
			err = errors.Join(err, k.parent.setWeight(standard))
		}
		return err
	}
	d.applied = true
	k.kept[d.name] = d
	k.watch.unsure = true
	d.due = now + d.Bite(now)
	heap.Push(&k.order, d)
	return nil
}

// drop ends keeping a domain, which gets the standard weight if it is there.
func (k *keeper) drop(d *kept) error {
	heap.Remove(&k.order, d.index)
	delete(k.kept, d.name)
	k.awake(d)
	k.watch.unsure = true
	err := k.lower(d)
	if gone(err) {
		err = nil
	}
	err = errors.Join(err, d.group.close())
	if len(k.kept) == 0 {
		err = errors.Join(err, k.parent.setWeight(standard))
	}
	return err
}

// reapply sets all weights anew, after somebody else has.
func (k *keeper) reapply() {
	if len(k.kept) > 0 && k.weights {
		// If the parent is gone, so are all, and looks find that out.
		_ = k.parent.setWeight(parental)
	}
	for _, d := range k.kept {
		d.unset = true
		k.look(d)
	}
}

// find is the domain that runs on that reservation.
func (k *keeper) find(name string, id uint32) (*kept, error) {
	d := k.kept[name]
	if d == nil || d.id != id {
		return nil, fmt.Errorf("domain %q: %w on reservation %d", name, platform.ErrNoDomain, id)
	}
	return d, nil
}
