// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
)

// late is a host whose master is late each time.
type late struct{ *fakeHost }

func (late) Renew(time.Duration) error { return fmt.Errorf("renew: %w", host.ErrLease) }

func TestHealthCounts(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, late{h}, t.TempDir())
	adopt(t, m, "web", 10*ms, 100*ms)
	if got := m.Health(); got != (Health{}) {
		t.Errorf("before: %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rounds := 0
	err := m.Run(ctx, func() error {
		if rounds++; rounds == 3 {
			cancel()
		}
		h.fail = errors.New("no answer") // from the second round on
		return nil
	})
	if got := m.Health(); err != nil || got.LeaseLost < 3 || got.ReviewErrors < 2 {
		t.Errorf("%+v, %v", got, err)
	}
}
