// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"fmt"
	"testing"
	"time"
)

// Dom0 survives all kinds of requests to the module while the guests listen,
// and none of them leaves anything behind.
func TestLabFuzz(t *testing.T) {
	b := openBench(t)
	seed := seedOf(t)
	t.Logf("seed %d", seed)
	b.fuzz(t, seed, fuzzCalls(t))
	b.tidy(t)
	b.asBefore(t)
	b.alive(t)
}

// Both guests request everything, and are refused everything.
func TestLabFuzzFromGuests(t *testing.T) {
	b := openBench(t)
	b.tidy(t)
	calls, seed := fuzzCalls(t)/5, seedOf(t) // guests are slower, and refused at once
	for _, domid := range b.domids[1:] {
		for node, value := range map[string]string{"result": "", "task": fmt.Sprintf("fuzz %d %d", calls, seed)} {
			if err := b.store.Write(t.Context(), b.node(domid, node), []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, domid := range b.domids[1:] {
		for b.read(t, domid, "result") == "" {
			time.Sleep(100 * time.Millisecond) // the whole program has a time limit
		}
		if result := b.read(t, domid, "result"); result != "well" {
			t.Errorf("domain %d, seed %d: %s", domid, seed, result)
		}
	}
	b.asBefore(t)
	b.alive(t)
}
