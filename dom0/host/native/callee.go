// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host/loop"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

const (
	// window is over how much time it is seen what a callee uses for nobody.
	// More than half of it, and more than a server's own work around the
	// shortest calls is, makes it background until the next.
	window     = 10 * time.Millisecond
	aroundCall = 8 // times what the call is
	// calleeLook is how often a callee is looked at by those with budget who
	// may call it, while it is in background, or others have none who may.
	calleeLook = time.Millisecond
)

// callee is a domain that reservations of threads, or for calls alone, pay for. It is the threads'
// keeper's.
type callee struct {
	name  string
	dir   string // with its ledger
	group *group
	above *parentWeight
	cpus  []int
	book  *ledger.Book // nil: there is none just now
	lease time.Duration
	bill  bill
	said  ledger.Claim // the last
	users map[uint32]*purse
	owed  map[uint32]time.Duration // and not yet charged

	realtime   bool // raised by priority, not by weight
	serving    uint32
	orphaned   bool // it is at a call whose payer has ended
	foreground bool
	began      time.Duration // the window
	unpaid     time.Duration // used for nobody in it
	paid       time.Duration // and for somebody
	guilty     bool
}

// firstLease is how long who may call may, until the lease is renewed.
const firstLease = 2 * time.Second

func (p *Host) openCallee(name string, cpus []int, now time.Duration) (_ *callee, err error) {
	c := &callee{
		name: name, dir: filepath.Join(p.servers, name), cpus: cpus, lease: firstLease,
		realtime: p.realtime, users: make(map[uint32]*purse), owed: make(map[uint32]time.Duration), foreground: true, began: now,
	}
	var usage time.Duration
	if c.group, err = openGroup(p.layout, name); err == nil {
		usage, err = c.group.usage()
	}
	if err == nil {
		c.bill = newBill(usage)
		err = p.weight.raise()
	}
	if err == nil {
		if err = c.raise(true); err != nil {
			err = errors.Join(err, p.weight.lower())
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.leave())
	}
	c.above = p.weight
	return c, nil
}

// renew finds the domain again if it was made anew, on the CPUs where it is now.
func (c *callee) renew(l layout, cpus []int) error {
	c.cpus = cpus
	if _, err := c.group.usage(); !cgroup.Gone(err) {
		return err
	}
	g, err := openGroup(l, c.name)
	if err != nil {
		return err
	}
	usage, err := g.usage()
	if err != nil {
		return errors.Join(err, g.close())
	}
	_ = c.group.close() // of what is gone nothing is left to be done
	c.group, c.bill.usage = g, usage
	c.foreground = true
	return c.raise(true)
}

// leave frees what this process has of it.
func (c *callee) leave() error {
	var errs []error
	if c.book != nil {
		errs = append(errs, c.book.Close())
	}
	if c.group != nil {
		errs = append(errs, c.group.close())
	}
	return errors.Join(errs...)
}

// close gives it what it had, if it is there.
func (c *callee) close() error {
	err := c.group.restore()
	if err == nil && c.realtime {
		err = setPriority(c.group.dir, c.group.version, 0)
	}
	if cgroup.Gone(err) {
		err = nil
	}
	return errors.Join(err, c.above.lower(), c.leave())
}

// admit lets a reservation pay. A patient one may before there is a server.
func (c *callee) admit(id uint32, p *purse, patient bool) error {
	if err := c.reopen(); err != nil && !patient {
		return err
	}
	claim := ledger.Claim{Used: map[uint32]time.Duration{id: 0}}
	var err error
	if c.book != nil {
		c.book.Read(&claim) // a server that does not say has nothing that is owed
		err = c.book.Allow(id, true)
	}
	c.bill.begin(id, claim.Used[id])
	c.users[id] = p
	if c.realtime && c.foreground {
		err = errors.Join(err, c.raise(true)) // it may go before more than it did
	}
	return err
}

// dismiss ends that. A server that is gone needs not be told.
func (c *callee) dismiss(id uint32) {
	delete(c.users, id)
	delete(c.owed, id)
	c.bill.end(id)
	if c.book != nil {
		_ = c.book.Allow(id, false)
	}
}

// claim is what the server says now, until the next is asked for.
func (c *callee) claim() ledger.Claim {
	if c.said.Used == nil {
		c.said.Used = make(map[uint32]time.Duration)
	}
	clear(c.said.Used)
	for id := range c.users {
		c.said.Used[id] = c.bill.claimed[id]
	}
	if c.reopen() != nil || !c.book.Read(&c.said) {
		return ledger.Claim{} // nobody owes what nobody says
	}
	return c.said
}

// reopen finds the ledger of a server that was started, or started anew. The
// next look tries again if there is none.
func (c *callee) reopen() error {
	if c.book != nil && c.book.Current() {
		return nil
	}
	if c.book != nil {
		_ = c.book.Close() // it was read, and written in single words
		c.book = nil
	}
	book, err := ledger.OpenBook(c.dir)
	if err != nil {
		return err
	}
	err = book.Renew(c.lease)
	for id := range c.users {
		err = errors.Join(err, book.Allow(id, true))
	}
	if err != nil {
		return errors.Join(err, book.Close())
	}
	c.book = book
	return nil
}

// read finds what its callers owe.
func (c *callee) read(now time.Duration) error {
	claim := c.claim()
	usage, err := c.group.usage()
	if err != nil {
		return err
	}
	owed, unpaid := c.bill.read(usage, claim)
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

// decide makes it foreground if who is being served has budget, or if it is at
// nobody's call and does next to nothing: so it is ready for the next, of which
// nobody is told.
func (c *callee) decide() error {
	want := !c.guilty && !c.orphaned
	if payer := c.users[c.serving]; payer != nil {
		want = payer.foreground
		if c.foreground && !want {
			payer.descheduled(c)
		}
	}
	if want == c.foreground {
		return nil
	}
	if err := c.raise(want); err != nil {
		return err
	}
	c.foreground = want
	return nil
}

// owing reports whether one of those who may call it has no budget.
func (c *callee) owing() bool {
	for _, u := range c.users {
		if !u.foreground {
			return true
		}
	}
	return false
}

// raise lets it go before all that have longer periods than the shortest of its
// callers, or after all that are not idle; see keeper.raise.
func (c *callee) raise(foreground bool) error {
	if c.realtime {
		period := rtsched.MaxPeriod
		for _, u := range c.users {
			period = min(period, u.period)
		}
		priority := 0
		if foreground {
			priority = rtsched.Priority(period, loop.Levels)
		}
		err := errors.Join(c.group.setIdle(), setPriority(c.group.dir, c.group.version, priority))
		if !errors.Is(err, unix.EPERM) {
			return err
		}
		c.realtime = false
	}
	if foreground {
		return c.group.setWeight(heaviest)
	}
	return c.group.setIdle()
}
