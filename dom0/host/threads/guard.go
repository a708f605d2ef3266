// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// Guard is all that the guard's process does on a host that keeps only threads:
// when the keeper does not renew its lease, it restores the threads' policies,
// as [keeper.Guard] says.
func Guard(daemon io.ReadWriter, _ string) error {
	trees, err := cgroup.Trees()
	if err != nil {
		return err
	}
	lock, err := lockGuards(trees)
	if err != nil {
		return err
	}
	return keeper.Guard(daemon, func(_, _ bool, note string) error { return Undo(note) }, lock)
}

// lockGuards shares a lock with all guards: on the root of the first tree.
func lockGuards(trees []cgroup.Tree) (*os.File, error) {
	if len(trees) == 0 {
		return nil, fmt.Errorf("guard: %w", cgroup.ErrNone)
	}
	dir := filepath.Join(trees[0].Root, Parent)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	f, err := keeper.Share(dir)
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return f, nil
}

// noted is a guard's knowledge of all reservations with threads.
type noted struct {
	groups  []uint32
	singles []host.Members
	had     policies
}

// Note is the note to the guard on these threads: the number of a cgroup of
// ours, or the one thread, which is in none; and the policies that the guard is
// to restore.
func (t *Threads) Note() string {
	words := fmt.Sprintf("group=%d", t.id)
	single := func(m host.Members) string { return fmt.Sprintf("thread=%d/%d/%d", m.PID, m.TID, m.Start) }
	if t.meant.TID != 0 {
		words = single(t.meant)
	}
	if h, ok := t.members.(*helpers); ok {
		for _, o := range h.kernel {
			words += " " + single(o.Members)
		}
	}
	return words + t.had.note()
}

func (had policies) note() (words string) {
	for tid, a := range had {
		words += fmt.Sprintf(" policy=%d/%d/%d/%d", tid, a.Policy, a.Nice, a.Priority)
	}
	return words
}

// readNote reads the words of a note that it understands; the error names the
// others.
func readNote(text string) (n noted, err error) {
	n.had = make(policies)
	for word := range strings.FieldsSeq(text) {
		var m host.Members
		var id uint32
		var tid int
		a := unix.SchedAttr{Size: unix.SizeofSchedAttr}
		if got, _ := fmt.Sscanf(word, "group=%d", &id); got == 1 {
			n.groups = append(n.groups, id)
		} else if got, _ := fmt.Sscanf(word, "thread=%d/%d/%d", &m.PID, &m.TID, &m.Start); got == 3 {
			n.singles = append(n.singles, m)
		} else if got, _ := fmt.Sscanf(word, "policy=%d/%d/%d/%d", &tid, &a.Policy, &a.Nice, &a.Priority); got == 4 {
			n.had[tid] = &a
		} else {
			err = errors.Join(err, fmt.Errorf("guard: %.40q is no thread on a reservation", word))
		}
	}
	return n, err
}

// Undo restores the policies of the threads of a note.
func Undo(note string) error {
	n, err := readNote(note)
	if len(n.groups)+len(n.singles) == 0 {
		return err
	}
	errs := []error{err}
	trees, err := cgroup.Trees()
	errs = append(errs, err)
	for _, tree := range trees {
		if len(n.groups) > 0 {
			_ = cgroup.Write(filepath.Join(tree.Root, Parent, "cpu.idle"), "0") // where there is such a file
		}
		for _, id := range n.groups {
			tids, err := cgroup.Threads(filepath.Join(tree.Root, name(id)), tree.Version)
			if cgroup.Gone(err) {
				continue // it is in another tree, or has ended
			}
			errs = append(errs, err, n.had.giveBack(tids))
		}
	}
	for _, m := range n.singles {
		if Check(m) == nil {
			errs = append(errs, n.had.giveBack([]int{m.TID}))
		}
	}
	return errors.Join(errs...)
}
