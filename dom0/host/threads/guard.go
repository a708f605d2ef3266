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
	"github.com/vlibos/vlibos/dom0/host/guard"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// Guard is all that the guard's process does: when the keeper does not renew its
// lease, it makes all threads on reservations ordinary, as [guard.Run] says.
func Guard(daemon io.ReadWriter) error {
	trees, err := cgroup.Trees()
	if err != nil {
		return err
	}
	lock, err := lockGuards(trees)
	if err != nil {
		return err
	}
	return guard.RunNoted(daemon, func(_, _ bool, text string) error {
		singles, err := readNotes(text)
		return errors.Join(err, reset(trees, singles))
	}, lock)
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
	f, err := guard.Share(dir)
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return f, nil
}

// note is what the guard is told of a thread that is in no cgroup of ours.
func note(m host.Members) string { return fmt.Sprintf("%d/%d/%d", m.PID, m.TID, m.Start) }

func readNotes(text string) ([]host.Members, error) {
	var singles []host.Members
	for word := range strings.FieldsSeq(text) {
		var m host.Members
		if n, err := fmt.Sscanf(word, "%d/%d/%d", &m.PID, &m.TID, &m.Start); n != 3 || err != nil {
			return singles, fmt.Errorf("guard: %.40q is no thread", word)
		}
		singles = append(singles, m)
	}
	return singles, nil
}

// reset makes all threads ordinary that are in cgroups of ours, and these.
func reset(trees []cgroup.Tree, singles []host.Members) error {
	var errs []error
	ordinaries := func(tids []int) {
		for _, tid := range tids {
			if !ours(tid) {
				continue
			}
			if err := setPolicy(tid, ordinary); err != nil && !errors.Is(err, unix.ESRCH) {
				errs = append(errs, fmt.Errorf("thread %d: %w", tid, err))
			}
		}
	}
	for _, tree := range trees {
		parent := filepath.Join(tree.Root, Parent)
		entries, err := os.ReadDir(parent)
		if err != nil {
			continue // it is not in this tree
		}
		_ = cgroup.Write(filepath.Join(parent, "cpu.idle"), "0") // where there is such a file
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			tids, err := numbers(filepath.Join(parent, e.Name(), lists[tree.Version]), 1<<16)
			if err != nil && !cgroup.Gone(err) {
				errs = append(errs, err)
			}
			ordinaries(tids)
		}
	}
	for _, m := range singles {
		if Check(m) == nil {
			ordinaries([]int{m.TID})
		}
	}
	return errors.Join(errs...)
}
