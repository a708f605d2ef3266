// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"io"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/xenctl"
)

// Guard is all that the guard's process does when the daemon does not renew its
// lease, as [keeper.Guard] says: it restores weights and undoes pauses that are
// in the ledger of that name, and restores the policies of domains' helpers.
func Guard(daemon io.ReadWriter, name string) error {
	h, err := xenctl.Open()
	if err != nil {
		return err
	}
	l, err := openLedger(name)
	if err != nil {
		return errors.Join(err, h.Close())
	}
	lock, err := keeper.Share(name)
	if err == nil {
		err = keeper.Guard(daemon, func(first, dead bool, note string) error {
			return errors.Join(l.giveBack(h, first, dead), threads.Undo(note))
		}, lock)
	}
	return errors.Join(err, l.close(), h.Close())
}

// giveBack undoes all changes in the ledger. Weights are restored once a lease,
// pauses whenever it is called.
func (l *ledger) giveBack(x hypervisor, weights, forget bool) error {
	var errs []error
	for i := range l.entries {
		if e := &l.entries[i]; e.used.Load() != 0 {
			errs = append(errs, e.giveBack(x, weights, forget))
		}
	}
	return errors.Join(errs...)
}
