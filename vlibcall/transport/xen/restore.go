// SPDX-License-Identifier: Apache-2.0

package xen

import "github.com/vlibos/vlibos/grant"

// restore ends the listener if its domain has become another one, and reports
// whether it does. The sign is that xenstore has nothing of the listener, while the
// kernel has set its watch again: Linux sets all watches again after a domain was
// restored, and none after a suspension that was cancelled (drivers/xen/manage.c,
// do_suspend).
func (l *Listener) restore() bool {
	restored, err := l.events.Restored()
	if err != nil || !restored {
		return false
	}
	l.control.events.Restored() // makes the kernel forget its ports as well
	l.mu.Lock()
	l.restored = true
	for _, e := range l.byID {
		e.left.Store(true) // ends the call under way
		// The kernel would take back a reference to the event channel that has this
		// number now.
		e.pages.SetNotify(grant.Notify{})
	}
	l.mu.Unlock()
	// At worst, the servers do not see it until they are signalled.
	l.events.Release()
	l.control.events.Release()
	return true
}
