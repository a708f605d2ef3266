// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// openMembers opens what runs on a reservation: a process, one thread, or what works for
// its domain.
func openMembers(r host.Reservation) (members, error) {
	switch {
	case r.Threads == nil:
		return openHelpers(r)
	case r.Threads.TID != 0:
		return openOne(*r.Threads)
	}
	return openGroup(r)
}

// helpers are a domain's device model with its threads, in a cgroup, and threads of the
// kernel, which stay where they are.
type helpers struct {
	*group
	kernel []*one
}

func openHelpers(r host.Reservation) (_ *helpers, err error) {
	h := new(helpers)
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	for _, k := range r.Helpers {
		if k.Model {
			continue
		}
		o, err := openOne(k.Members)
		if errors.Is(err, host.ErrNoMembers) {
			continue // a device was taken away meanwhile
		}
		if err != nil {
			return nil, err
		}
		h.kernel = append(h.kernel, o)
	}
	model := host.Model(r.Helpers)
	if model == nil {
		return nil, host.ErrNoMembers
	}
	r.Threads = &model.Members
	// An earlier master's may have had another device model.
	r.Resume = r.Resume && placed(model.PID, r.ID)
	h.group, err = openGroup(r)
	return h, err
}

// placed reports whether a process is in the cgroup of a reservation.
func placed(pid int, id uint32) bool {
	trees, _ := cgroup.Trees() // openGroup has the error
	for _, tree := range trees {
		if path, err := tree.Of(pid); err == nil && path == filepath.Join("/", name(id)) {
			return true
		}
	}
	return false
}

// usage is a sum that does not shrink: a thread that has ended keeps its part.
func (h *helpers) usage() (time.Duration, error) {
	sum, err := h.group.usage()
	for _, o := range h.kernel {
		if err != nil {
			break
		}
		var used time.Duration
		used, err = o.usage()
		sum += used
	}
	return sum, err
}

func (h *helpers) threads() ([]int, error) {
	all, err := h.group.threads()
	if cgroup.Gone(err) {
		all, err = nil, nil
	}
	for _, o := range h.kernel {
		if len(all) <= MaxThreads && Check(o.Members) == nil {
			all = append(all, o.TID)
		}
	}
	return all, err
}

func (h *helpers) close() (err error) {
	if h.group != nil {
		err = h.group.close()
	}
	for _, o := range h.kernel {
		err = errors.Join(err, o.close())
	}
	return err
}

// Absent drops the error of a device model that has just ended: the next one is looked for
// when the reservation is made again.
func Absent(err error) error {
	if errors.Is(err, host.ErrNoMembers) {
		return nil
	}
	return err
}
