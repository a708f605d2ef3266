// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

const (
	// window is the time over which the keeper sums what a callee uses for no
	// caller. If that is more than half of the window, and more than a server's
	// own work around the shortest calls, the callee is in background until the
	// next window.
	window     = 10 * time.Millisecond
	aroundCall = 8 // times the duration of the call
	// calleeLook is how often the keeper looks at a callee that reservations
	// with budget may call while it is in background, or while others may have
	// none.
	calleeLook = time.Millisecond
	// firstLease is how long a reservation may pay until the lease is renewed.
	firstLease = 2 * time.Second
)

// callee is a domain that reservations pay for, of threads or for calls alone.
type callee struct {
	k     *keeping
	name  string
	dir   string // with its ledger
	group *group
	cpus  []int
	book  *ledger.Book // nil: there is none now
	debts debts
	said  ledger.Claim // the last claim
	users map[uint32]*caller
	owed  map[uint32]time.Duration // not charged yet

	serving    uint32
	orphaned   bool // it is at a call, and the reservation that paid for it has ended
	foreground bool
	reapply    bool          // the next set gives everything again
	began      time.Duration // the window
	unpaid     time.Duration // used for no caller in it
	paid       time.Duration // used for callers in it
	guilty     bool
}

func (k *keeping) openCallee(name string, cpus []int, now time.Duration) (*callee, error) {
	c := &callee{
		k: k, name: name, dir: filepath.Join(k.servers, name), cpus: cpus,
		users: make(map[uint32]*caller), owed: make(map[uint32]time.Duration), began: now,
	}
	err := c.open()
	if err != nil && c.group != nil {
		err = errors.Join(err, k.lower(c.group), c.group.close())
	}
	return c, err
}

// open opens the callee's cgroup and makes it foreground.
func (c *callee) open() error {
	g, err := openGroup(c.k.layout, c.name)
	if err != nil {
		return err
	}
	usage, err := g.usage()
	if err != nil {
		return errors.Join(err, g.close())
	}
	if c.group != nil {
		_ = c.group.close() // nothing can be done with a cgroup that is gone
	} else {
		c.debts = newDebts(usage)
	}
	c.group, c.debts.usage, c.reapply = g, usage, true
	return c.set(true)
}

// renew finds the domain again if it was recreated, on the CPUs where it is
// now.
func (c *callee) renew(cpus []int) error {
	c.cpus = cpus
	if _, err := c.group.usage(); !cgroup.Gone(err) {
		return err
	}
	return c.open()
}

// close frees what this process holds of it.
func (c *callee) close() error {
	err := c.group.close()
	if c.book != nil {
		err = errors.Join(err, c.book.Close())
	}
	return err
}

// admit lets a reservation pay. One for calls alone may be admitted before
// there is a server.
func (c *callee) admit(a *caller) error {
	id := a.r.ID
	if err := c.reopen(); err != nil && a.threads != nil {
		return err
	}
	claim := ledger.Claim{Used: map[uint32]time.Duration{id: 0}}
	var err error
	if c.book != nil {
		c.book.Read(&claim) // without a claim nothing is owed
		err = c.book.Allow(id, true)
	}
	c.debts.begin(id, claim.Used[id])
	c.users[id] = a
	c.reapply = true // its priority may be higher now
	return errors.Join(err, c.set(c.foreground))
}

// dismiss ends the payments of a reservation. It does not tell a server that is
// gone.
func (c *callee) dismiss(id uint32) {
	delete(c.users, id)
	delete(c.owed, id)
	c.debts.end(id)
	if c.book != nil {
		_ = c.book.Allow(id, false)
	}
}

// claim is what the server claims now; the keeper asks once a look.
func (c *callee) claim() ledger.Claim {
	if c.said.Used == nil {
		c.said.Used = make(map[uint32]time.Duration)
	}
	clear(c.said.Used)
	for id := range c.users {
		c.said.Used[id] = c.debts.claimed[id]
	}
	if c.reopen() != nil || !c.book.Read(&c.said) {
		return ledger.Claim{} // a server without claims is owed nothing
	}
	return c.said
}

// reopen finds the ledger of a server that was started or restarted. The next
// look tries again if there is none.
func (c *callee) reopen() error {
	if c.book != nil && c.book.Current() {
		return nil
	}
	if c.book != nil {
		_ = c.book.Close() // it was read, and written in single words: no error matters
		c.book = nil
	}
	book, err := ledger.OpenBook(c.dir)
	if err != nil {
		return err
	}
	err = book.Renew(c.k.lease)
	for id := range c.users {
		err = errors.Join(err, book.Allow(id, true))
	}
	if err != nil {
		return errors.Join(err, book.Close())
	}
	c.book = book
	return nil
}

// read finds what the callee's callers owe.
func (c *callee) read(now time.Duration) error {
	claim := c.claim()
	usage, err := c.group.usage()
	if err != nil {
		return err
	}
	owed, unpaid := c.debts.read(usage, claim)
	for id, d := range owed {
		c.owed[id] += d
		c.paid += d
	}
	c.serving = claim.Serving
	if c.orphaned = c.serving != 0 && c.users[c.serving] == nil; c.orphaned {
		c.serving = 0
	}
	c.unpaid += unpaid
	if elapsed := now - c.began; elapsed >= window {
		c.guilty = c.unpaid > elapsed/2 && c.unpaid > aroundCall*c.paid
		c.began, c.unpaid, c.paid = now, 0, 0
	}
	return nil
}

// decide makes the callee foreground if the reservation of the call that it
// serves has budget, or if it serves none and does next to nothing: it is then
// ready for the next call, of which the keeper is not told.
func (c *callee) decide() error {
	want := !c.guilty && !c.orphaned
	if payer := c.users[c.serving]; payer != nil {
		want = payer.foreground
		if c.foreground && !want {
			payer.ended[c]++
		}
	}
	return c.set(want)
}

// set makes the callee foreground, before all domains with longer periods than
// the shortest of its callers; or background.
func (c *callee) set(foreground bool) error {
	if foreground == c.foreground && !c.reapply {
		return nil
	}
	period := rtsched.MaxPeriod
	for _, u := range c.users {
		period = min(period, u.r.Period)
	}
	if err := c.k.raise(c.group, period, foreground); err != nil {
		return err
	}
	c.foreground, c.reapply = foreground, false
	return nil
}

// owing reports whether one of the reservations that may call it has no budget.
func (c *callee) owing() bool {
	for _, u := range c.users {
		if !u.foreground {
			return true
		}
	}
	return false
}
