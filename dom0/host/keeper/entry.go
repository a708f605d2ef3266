// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"errors"
	"time"
)

// ErrGone says that the domain or threads of an entry are gone.
var ErrGone = errors.New("nothing runs on the reservation")

// Subject is what a host supplies for one reservation. The keeper calls it in
// its thread.
type Subject interface {
	// Read returns the time used since the last call. [ErrGone] says that there
	// is nothing left to read.
	Read() (Reading, error)
	// Apply makes it foreground or background, after every charge. reapply says
	// that the policy or the weight may have changed since the last Apply.
	// Apply returns the time within which there has to be another look,
	// whatever is left of the budget; 0 sets no limit.
	Apply(s State, reapply bool) (within time.Duration, err error)
	// Restore restores what it had before the first Apply, and may be called
	// again if that fails. It ignores what is gone.
	Restore() error
	// Close frees what this process holds of it. left says that it stays as it
	// is, to be restored by the guard or by another process.
	Close(left bool) error
}

// Entry is one reservation that is kept.
type Entry struct {
	ID uint32
	Subject
	Account

	applied bool  // it is in foreground
	reapply bool  // the next Apply sets everything again
	err     error // of the last look
	due     time.Duration
	index   int // in the schedule
}

// Err is the error of the last look at the entry.
func (e *Entry) Err() error { return e.err }

// Foreground reports whether it is in foreground.
func (e *Entry) Foreground() bool { return e.applied }

// Reapply makes the next look apply the policy again, also if it is the same.
func (e *Entry) Reapply() { e.reapply = true }

// schedule is a heap, ordered by due.
type schedule []*Entry

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due < s[j].due }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push implements heap.Interface.
func (s *schedule) Push(x any) {
	e := x.(*Entry)
	e.index = len(*s)
	*s = append(*s, e)
}

// Pop implements heap.Interface.
func (s *schedule) Pop() any {
	old := *s
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return e
}
