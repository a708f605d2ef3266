// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"errors"
	"sync"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
)

// Dom0 survives requests about a domain that is called, gated and reserved for
// while it is destroyed. This is the last test: vlib2 does not come back.
func TestLabFuzzSurvivesADyingDomain(t *testing.T) {
	b := openBench(t)
	seed := seedOf(t)
	t.Logf("seed %d", seed)
	b.store.Close() // its quota of time is for the guests: nothing here needs it
	var ended sync.WaitGroup
	ended.Go(func() { xl(t, "destroy", "vlib2") })
	b.fuzz(t, seed, max(9_000, fuzzCalls(t)/10))
	ended.Wait()
	b.fuzz(t, seed+100, 3_000) // the number of no domain now
	b.tidy(t)
	testkit.Eventually(t, "the module forgets a domain that is gone", func() bool {
		_, err := b.m.Domain(uint16(b.domids[2]))
		info, ierr := b.m.Info()
		if ierr != nil {
			t.Fatal(ierr)
		}
		return errors.Is(err, ErrNoDomain) && info.Domains <= 2
	})
	b.domids = b.domids[:2]
	b.asBefore(t)
}
