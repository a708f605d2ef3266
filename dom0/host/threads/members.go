// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
)

// MaxThreads is how many threads one reservation makes real-time.
const MaxThreads = 512

// members are the threads that run on a reservation.
type members interface {
	// usage is their CPU time, exact up to when each was last preempted.
	usage() (time.Duration, error)
	// threads are the present threads, none if all have ended; more than
	// MaxThreads are cut off.
	threads() ([]int, error)
	// release leaves them as if they had never been on it, but for their
	// policy; close frees what this process holds of them.
	release() error
	close() error
}

// one is a single thread.
type one struct {
	host.Members
	stat *os.File
	last time.Duration
}

func openOne(m host.Members) (*one, error) {
	if err := Check(m); err != nil {
		return nil, err
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/task/%d/schedstat", m.PID, m.TID))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", m, host.ErrNoMembers, err)
	}
	return &one{Members: m, stat: f}, nil
}

func (o *one) usage() (time.Duration, error) {
	var b [128]byte
	n, err := o.stat.ReadAt(b[:], 0)
	if n == 0 {
		if errors.Is(err, unix.ESRCH) {
			return o.last, nil // it has ended, as threads says
		}
		return 0, fmt.Errorf("%s: %w", o.stat.Name(), err)
	}
	word, _, _ := strings.Cut(string(b[:n]), " ")
	v, err := strconv.ParseInt(word, 10, 64)
	o.last = time.Duration(v)
	return o.last, err
}

func (o *one) threads() ([]int, error) {
	if Check(o.Members) != nil {
		return nil, nil
	}
	return []int{o.TID}, nil
}

func (o *one) release() error { return nil }
func (o *one) close() error   { return o.stat.Close() }

// Check reports whether members are still the same: ErrNoMembers if they have
// ended.
func Check(m host.Members) error {
	start, err := host.Start(m)
	if err == nil && m.Start != 0 && start != m.Start {
		err = fmt.Errorf("%s: %w: another has its number", m, host.ErrNoMembers)
	}
	return err
}
