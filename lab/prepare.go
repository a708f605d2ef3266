// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/qemu"
	"github.com/vlibos/vlibos/lab/saved"
)

// prepare returns a stopped machine that waits for its files and its job. It resumes a
// saved machine, or boots one and saves it. The caller closes it.
func (r *run) prepare(ctx context.Context, limit *time.Timer) (*link, error) {
	r.awaited = "a saved machine"
	if r.config.Fresh {
		return r.boot(ctx, limit, r.machine.emulatorPlugin(), nil)
	}
	cache, err := image.DefaultCache()
	if err != nil {
		return nil, err
	}
	key, err := r.machine.key(r.result.Versions.QEMU)
	if err != nil {
		return nil, err
	}
	store := savedIn(cache)
	if l, err := r.resumeOrRemove(ctx, store, key); l != nil || err != nil {
		return l, err
	}
	unlock, err := r.lock(ctx, cache, filepath.Join("saved", key+".lock"))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		// For example because the cache is read-only for this user.
		fmt.Fprintf(r.config.Notes, "machines cannot be saved: %v\n", err)
		return r.boot(ctx, limit, r.machine.emulatorPlugin(), nil)
	}
	defer unlock()
	limit.Reset(r.config.BootTimeout)
	if l, err := r.resumeOrRemove(ctx, store, key); l != nil || err != nil {
		return l, err
	}
	return r.bootAndSave(ctx, limit, store, key)
}

// patience is how long lock waits before it announces the wait.
const patience = 300 * time.Millisecond

// lock takes a machine's lock. Of two runs that need the same machine, one boots it, and
// the other waits and resumes it. The lock's file is removed with the lock, because
// there would be one for each machine that ever existed.
func (r *run) lock(ctx context.Context, cache *image.Cache, name string) (unlock func(), err error) {
	short, stop := context.WithTimeout(ctx, patience)
	free, err := cache.Lock(short, name)
	stop()
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		r.enter("waiting for another run, which boots the same machine")
		free, err = cache.Lock(ctx, name)
		r.begun = time.Now()
	}
	if err != nil {
		return nil, err
	}
	return func() {
		os.Remove(filepath.Join(cache.Dir, name))
		free()
	}, nil
}

// resumeOrRemove returns the saved machine of a key, or nil if there is none. It removes
// one that cannot be resumed.
func (r *run) resumeOrRemove(ctx context.Context, store *saved.Store, key string) (*link, error) {
	l, err := r.resume(ctx, store, key)
	switch {
	case err == nil:
		return l, nil
	case ctx.Err() != nil:
		return nil, ended(ctx)
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	}
	removed := "removed"
	if rerr := store.Remove(key); rerr != nil {
		removed = rerr.Error()
	}
	fmt.Fprintf(r.config.Notes, "%v: %s, the machine is booted again\n", err, removed)
	return nil, nil
}

// resume returns the saved machine of a key, or [fs.ErrNotExist] if there is none. Any
// other error means that the machine cannot be resumed.
func (r *run) resume(ctx context.Context, store *saved.Store, key string) (*link, error) {
	m, err := store.Open(key)
	if err != nil {
		return nil, err
	}
	defer m.File.Close()
	r.enter("resuming the saved machine " + key)
	machine := r.machine.Machine
	machine.Saved, machine.Plugin = m.File, r.machine.emulatorPlugin()
	vm, err := qemu.Start(ctx, machine, r.console)
	if err != nil {
		// An emulator that cannot load a machine prints the reason and ends.
		if said := r.console.tail(); len(said) > 0 {
			err = fmt.Errorf("%w: %s", err, said[len(said)-1])
		}
		return nil, err
	}
	r.result.Resumed = true
	r.remove = func() error { return store.Remove(key) }
	r.result.Versions.Xen, r.result.Versions.Dom0 = m.Xen, m.Kernel
	return newLink(vm), nil
}

// boot boots the machine, waits until the plan has been carried out, stops the machine,
// and saves it unless save is nil.
func (r *run) boot(ctx context.Context, limit *time.Timer, plugin string, save func(*qemu.Process) error) (_ *link, err error) {
	what := "booting Xen and Dom0"
	if r.config.Xen == NoXen {
		what = "booting Linux"
	}
	r.enter(what)
	machine := r.machine.Machine
	machine.Plugin = plugin
	vm, err := qemu.Start(ctx, machine, r.console)
	if err != nil {
		return nil, err
	}
	l := newLink(vm)
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if err := r.follow(ctx, l, limit); err != nil {
		return nil, err
	}
	if err := vm.Stop(); err != nil {
		return nil, r.because(ctx, vm, err)
	}
	if save != nil {
		err = save(vm)
	}
	return l, err
}

// bootAndSave boots the machine and saves it. If it cannot be saved, for example because
// the disk is full, it is used all the same.
func (r *run) bootAndSave(ctx context.Context, limit *time.Timer, store *saved.Store, key string) (*link, error) {
	l, err := r.boot(ctx, limit, "", func(vm *qemu.Process) error {
		r.enter("saving the machine")
		about := saved.About{What: r.machine.what, Xen: r.result.Versions.Xen, Kernel: r.result.Versions.Dom0}
		err := store.Create(key, about, func(f *os.File) error { return vm.Save(f) })
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(r.config.Notes, "%v: the run continues, the next one boots again\n", err)
			return nil
		}
		return err
	})
	if err != nil || r.machine.emulatorPlugin() == "" {
		return l, err
	}
	// A plugin, which slows everything down, starts with a resumed machine.
	l.close()
	l, err = r.resumeOrRemove(ctx, store, key)
	r.result.Resumed = false
	if l != nil || err != nil {
		return l, err
	}
	limit.Reset(r.config.BootTimeout)
	return r.boot(ctx, limit, r.machine.emulatorPlugin(), nil)
}
