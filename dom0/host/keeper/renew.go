// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
)

// Secure tells the guard what to undo for a reservation that is about to be
// kept, unless it knows already: so no change outlives this process if it dies.
func (k *Keeper) Secure(ctx context.Context, id uint32, note string) error {
	known := false
	err := k.Do(ctx, func() {
		if known = (note == "" || k.notes[id] == note) && k.lease.Runs(); note != "" {
			k.notes[id] = note
		}
	})
	if err != nil || known {
		return err
	}
	k.renewing.Lock()
	defer k.renewing.Unlock()
	lost, err := k.renew(max(firstLease, time.Until(k.lease.ends())))
	k.lost = k.lost || lost
	return err
}

// Forget withdraws Secure's note.
func (k *Keeper) Forget(ctx context.Context, id uint32) error {
	return k.Do(ctx, func() { delete(k.notes, id) })
}

// Renew renews the lease; the first call starts the guard. host.ErrLease says
// that the lease was over: throttles are over, all entries are applied again,
// and the new lease runs.
func (k *Keeper) Renew(d time.Duration) error {
	k.renewing.Lock()
	defer k.renewing.Unlock()
	lost, err := k.renew(d)
	if lost || k.lost {
		err = errors.Join(host.ErrLease, err)
	}
	k.lost = false
	return err
}

// renew renews the lease with the guard's present notes.
func (k *Keeper) renew(d time.Duration) (lost bool, err error) {
	ctx := context.Background()
	err = k.Do(ctx, func() { k.lease.Note(strings.Join(slices.Collect(maps.Values(k.notes)), " ")) })
	if err != nil {
		return false, err
	}
	lost, err = k.lease.Renew(d)
	var again error
	failed := k.Do(ctx, func() {
		if len(k.entries) > 0 {
			_ = k.Realtime() // it may be allowed by now; Notes say it
		}
		if lost {
			k.Lift()
		}
		if k.o.Renewed != nil {
			again = k.o.Renewed(d, lost)
		}
		if lost {
			for _, e := range slices.Collect(k.Entries()) {
				e.reapply = true
				k.Look(e)
			}
		}
	})
	return lost, errors.Join(err, failed, again)
}

// Idle reports whether a guard would have nothing to undo, and there is no
// guard.
func (k *Keeper) Idle(ctx context.Context) (idle bool, err error) {
	err = k.Do(ctx, func() { idle = len(k.entries)+len(k.notes) == 0 && k.lease.Guard() == 0 })
	return idle, err
}
