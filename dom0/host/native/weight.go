// SPDX-License-Identifier: Apache-2.0

package native

import "sync"

// parentWeight is the parent's, raised as long as anybody below it has a claim
// to CPU time: adopted domains, and those that threads on reservations call.
type parentWeight struct {
	mu     sync.Mutex
	parent *group
	claims int
}

// raise adds a claim.
func (w *parentWeight) raise() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.claims == 0 {
		if err := w.parent.setWeight(parental); err != nil {
			return err
		}
	}
	w.claims++
	return nil
}

// lower ends one.
func (w *parentWeight) lower() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.claims--; w.claims > 0 {
		return nil
	}
	return w.parent.restore()
}

// raised reports whether anybody has a claim.
func (w *parentWeight) raised() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.claims > 0
}

// again sets it anew, after somebody else has.
func (w *parentWeight) again() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.claims == 0 {
		return nil
	}
	return w.parent.setWeight(parental)
}
