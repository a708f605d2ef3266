// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host/guard"
	"github.com/vlibos/vlibos/xenctl"
)

// Guard is all that the guard's process does: it gives weights back and undoes
// pauses, as the ledger of that name has them, when the daemon does not renew
// its lease, as [guard.Run] says.
func Guard(daemon io.ReadWriter, name string) error {
	h, err := xenctl.Open()
	if err != nil {
		return err
	}
	l, err := openLedger(name)
	if err != nil {
		return errors.Join(err, h.Close())
	}
	lock, err := guard.Share(name)
	if err == nil {
		undo := func(first, dead bool) error {
			if dead && !alone(lock) {
				return nil // who has taken over gives back what is not theirs
			}
			return l.giveBack(h, first, dead)
		}
		err = guard.Run(daemon, undo, lock)
	}
	return errors.Join(err, l.close(), h.Close())
}

// dying is how long a process that is dead may still have its files.
const dying = time.Second

// alone takes a lock for the caller alone, if nobody else has it who lives.
func alone(lock *os.File) bool {
	for end := time.Now().Add(dying); ; time.Sleep(5 * time.Millisecond) {
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// giveBack undoes all that the ledger has. Weights are given back once a lease,
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
