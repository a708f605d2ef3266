// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
)

func TestStateNamesTheReasonForAnOpenThrottle(t *testing.T) {
	cpus := []api.ThrottleCPU{{ID: 2, Idle: 0.404}, {ID: 5, Idle: 0}}
	for want, s := range map[api.ThrottleState]status{
		api.ThrottleClosed:  {Throttle: api.Throttle{CPUs: cpus, Decisions: 1}, unhealthy: true}, // the host still throttles
		api.ThrottleWarming: {Throttle: api.Throttle{Health: "good"}},
		api.ThrottleBlind:   {Throttle: api.Throttle{Decisions: 1, Health: "absent"}, unhealthy: true},
		api.ThrottleEnough:  {Throttle: api.Throttle{Decisions: 1, Health: "good"}},
	} {
		if got := s.state(false); got != want {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
		if got := s.state(true); want != api.ThrottleClosed && got != api.ThrottleLate {
			t.Errorf("%+v, late: %s", s, got)
		}
	}
}
