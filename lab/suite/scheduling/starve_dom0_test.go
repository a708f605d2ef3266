// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
)

// number returns an environment variable's value, or def.
func number(h *machine, name string, def uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.ParseUint(text, 10, 64)
	h.must(err)
	return n
}

// Two spinning domains are disturbed in random ways. In the second after each disturbance,
// both run.
func TestNoDomainStarvesAfterDisturbances(t *testing.T) {
	h := newMachine(t)
	seed := number(h, "VLIBOS_SEED", uint64(time.Now().UnixNano()))
	fmt.Printf("VLIBOS_SEED=%d\n", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	h.spin(1)
	h.spin(2)
	pinned := func() {
		for _, name := range []string{"vlib1", "vlib2"} {
			host.Repeat(h, "xl", "vcpu-pin", name, "all", strconv.Itoa(guestCPU))
		}
	}
	for round := range number(h, "VLIBOS_ROUNDS", 8) {
		name := fmt.Sprintf("vlib%d", 1+r.IntN(2))
		what := r.IntN(4)
		switch what {
		case 0:
			host.Repeat(h, "xl", "pause", name)
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
			host.Repeat(h, "xl", "unpause", name)
		case 1:
			host.Repeat(h, "xl", "vcpu-pin", name, "all", "0")
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
		case 2: // both go to the other CPU, and one stays paused there for a while
			host.Repeat(h, "xl", "cpupool-cpu-remove", "Pool-0", strconv.Itoa(guestCPU))
			host.Repeat(h, "xl", "pause", name)
			host.Repeat(h, "xl", "cpupool-cpu-add", "Pool-0", strconv.Itoa(guestCPU))
			pinned()
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
			host.Repeat(h, "xl", "unpause", name)
		case 3:
			h.reserve(uint32(10+round), time.Duration(1+r.IntN(4))*ms, 10*ms)
			h.adopt(uint16(1+r.IntN(2)), uint32(10+round))
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
			h.adopt(1, 0)
			h.adopt(2, 0)
		}
		pinned()
		one, two := h.cpuTime(1), h.cpuTime(2)
		time.Sleep(time.Second)
		if one, two = h.cpuTime(1)-one, h.cpuTime(2)-two; min(one, two) < 300*ms {
			h.Errorf("round %d, after disturbance %d of %s: %v and %v of a second", round, what, name, one, two)
		}
	}
}
