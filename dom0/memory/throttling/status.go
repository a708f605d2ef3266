// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/throttle"
)

// status is an api.Throttle as the loop needs it.
type status struct {
	api.Throttle
	unhealthy bool // the source's health opens all CPUs
}

// Status returns the status of now. It is safe for concurrent use.
func (l *Loop) Status() api.Throttle {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status.Throttle
	s.CPUs = append([]api.ThrottleCPU{}, s.CPUs...)
	s.State = l.status.state(l.late())
	return s
}

func (s *status) state(late bool) api.ThrottleState {
	for _, c := range s.CPUs {
		if c.Idle > 0 {
			return api.ThrottleClosed
		}
	}
	switch {
	case late:
		return api.ThrottleLate
	case s.unhealthy:
		return api.ThrottleBlind
	case s.Decisions == 0 || s.Health == throttle.Warming.String():
		return api.ThrottleWarming
	}
	return api.ThrottleEnough
}
