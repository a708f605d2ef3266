// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"sync"

	"github.com/vlibos/vlibos/vlibcall"
)

// What one user, and all together, can have of the daemon's: a channel is
// three descriptors, and the one call that can wait in it.
const (
	userChannels = 16
	userBytes    = 16 << 20
	allChannels  = 512
	allBytes     = 256 << 20
)

// quota is what users have of the daemon's.
type quota struct {
	mu    sync.Mutex
	users map[uint32]*use
	all   use
}

type use struct{ channels, bytes int }

func newQuota() *quota { return &quota{users: make(map[uint32]*use)} }

func tooMuch(format string, args ...any) error {
	return &vlibcall.StatusError{Status: vlibcall.StatusDenied, Detail: fmt.Sprintf(format, args...)}
}

// enter takes a channel of the user's.
func (q *quota) enter(user uint32) (*seat, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.users[user]
	switch {
	case u != nil && u.channels >= userChannels:
		return nil, tooMuch("user %d has %d channels open through vlibmaster, the most: close one", user, u.channels)
	case q.all.channels >= allChannels:
		return nil, tooMuch("vlibmaster has %d channels open, the most of all users together: try again later", q.all.channels)
	case u == nil:
		u = new(use)
		q.users[user] = u
	}
	u.channels++
	q.all.channels++
	return &seat{q: q, user: user}, nil
}

// seat is one channel of a user's. It implements native.Place.
type seat struct {
	q     *quota
	user  uint32
	bytes int
}

// Grow implements native.Place.
func (s *seat) Grow(size int) error {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	u := s.q.users[s.user]
	switch {
	case u.bytes+size > userBytes:
		return tooMuch("user %d has %d bytes of channels open through vlibmaster, %d more are more than %d: open a smaller one", s.user, u.bytes, size, userBytes)
	case s.q.all.bytes+size > allBytes:
		return tooMuch("vlibmaster has %d bytes of channels open, %d more are more than %d for all users together: try again later", s.q.all.bytes, size, allBytes)
	}
	s.bytes += size
	u.bytes += size
	s.q.all.bytes += size
	return nil
}

// Leave implements native.Place.
func (s *seat) Leave() {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	u := s.q.users[s.user]
	u.channels--
	u.bytes -= s.bytes
	s.q.all.channels--
	s.q.all.bytes -= s.bytes
	if u.channels == 0 {
		delete(s.q.users, s.user)
	}
}
