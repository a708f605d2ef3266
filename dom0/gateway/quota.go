// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"sync"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// Limits of one user, and of all users together. A channel costs the daemon
// four descriptors, its memory, and one call that can wait in it.
const (
	userChannels = 16
	userBytes    = 16 << 20
	allChannels  = 512
	allBytes     = 256 << 20
)

// quota counts what the users' channels cost the daemon.
type quota struct {
	mu    sync.Mutex
	users map[uint32]*use
	all   use
	lent  map[*seat]*native.Lent // of closed channels whose clients may still have the memory
}

type use struct{ channels, bytes int }

func newQuota() *quota {
	return &quota{users: make(map[uint32]*use), lent: make(map[*seat]*native.Lent)}
}

func tooMuch(format string, args ...any) error {
	return &vlibcall.StatusError{Status: vlibcall.StatusDenied, Detail: fmt.Sprintf(format, args...)}
}

// enter counts a new channel of the user.
func (q *quota) enter(user uint32) (*seat, error) {
	s := &seat{q: q, user: user}
	return s, q.take(s, use{channels: 1})
}

// take adds to a seat if there is room, or if the memory that clients have
// released since makes room.
func (q *quota) take(s *seat, want use) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.room(s.user, want)
	if err != nil {
		q.sweep()
		err = q.room(s.user, want)
	}
	if err == nil {
		q.add(s, want)
	}
	return err
}

func (q *quota) room(user uint32, want use) error {
	var u use
	if has := q.users[user]; has != nil {
		u = *has
	}
	switch {
	case u.channels+want.channels > userChannels:
		return tooMuch("user %d has %d channels open through vlibmaster, which is the limit: close one, and what still holds its memory", user, u.channels)
	case q.all.channels+want.channels > allChannels:
		return tooMuch("vlibmaster has %d channels open, which is the limit for all users together: try again later", q.all.channels)
	case u.bytes+want.bytes > userBytes:
		return tooMuch("user %d has %d bytes of channels open through vlibmaster, %d more are more than %d: open a smaller one", user, u.bytes, want.bytes, userBytes)
	case q.all.bytes+want.bytes > allBytes:
		return tooMuch("vlibmaster has %d bytes of channels open, %d more are more than %d for all users together: try again later", q.all.bytes, want.bytes, allBytes)
	}
	return nil
}

// add adds to a seat, or subtracts where what is negative.
func (q *quota) add(s *seat, what use) {
	u := q.users[s.user]
	if u == nil {
		u = new(use)
		q.users[s.user] = u
	}
	for _, sum := range []*use{&s.use, u, &q.all} {
		sum.channels += what.channels
		sum.bytes += what.bytes
	}
	if u.channels == 0 {
		delete(q.users, s.user)
	}
}

// free frees all of a seat. The kernel frees its memory.
func (q *quota) free(s *seat, m *native.Lent) {
	m.Close() // loses no data on an error
	q.add(s, use{-s.channels, -s.bytes})
}

// sweep frees the seats whose memory clients have released.
func (q *quota) sweep() {
	for s, m := range q.lent {
		if m.Released() {
			delete(q.lent, s)
			q.free(s, m)
		}
	}
}

// look sweeps from time to time.
func (q *quota) look() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sweep()
}

// close frees all seats at the end of the gateway.
func (q *quota) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for s, m := range q.lent {
		q.free(s, m)
	}
	clear(q.lent)
}

// seat is one channel of a user, with what it costs. It implements native.Place.
type seat struct {
	q    *quota
	user uint32
	use
}

// Grow implements native.Place.
func (s *seat) Grow(size int) error { return s.q.take(s, use{bytes: size}) }

// Leave implements native.Place. A client can hold the memory of a closed
// channel: it counts until the client releases it.
func (s *seat) Leave(m *native.Lent) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	if m == nil || m.Released() {
		s.q.free(s, m)
		return
	}
	s.q.lent[s] = m
}
