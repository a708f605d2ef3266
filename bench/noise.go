// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"time"
)

// Noise is what the machine did to work that is always the same. All are in
// per cent.
type Noise struct {
	// Compute and Memory are how far apart the times of equal pieces of
	// arithmetic, and of a walk through memory, were: the 90th percentile
	// less the 10th, of the median.
	Compute, Memory float64
	// Steal is the machine's time that a hypervisor gave to somebody else.
	Steal float64
}

// The limits beyond which nothing is concluded from times. Memory's is wider:
// a last-level cache that other machines share is never quite quiet, and every
// comparison is interleaved.
const (
	computeLimit = 10
	memoryLimit  = 30
	stealLimit   = 5
)

// The names in a Record's Raw.
const (
	noiseCompute = "noise_compute_percent"
	noiseMemory  = "noise_memory_percent"
	noiseSteal   = "noise_steal_percent"
)

// noisePieces of each kind are timed in a look at the machine, which takes
// less than a second.
const (
	noisePieces = 150
	noiseSteps  = 200_000
	noiseWalk   = 64 << 20 // beyond the private caches
	noiseLines  = 5_000
)

// Watch looks at the machine before and after f, on the CPU that this thread
// is on, and returns the worse of what it saw. An experiment is one f.
func Watch(ctx context.Context, f func(context.Context) error) (Noise, error) {
	walk := make([]uint32, noiseWalk/4)
	for i := range walk {
		walk[i] = uint32(i)
	}
	stolen, all := stolenTicks()
	worst := look(walk)
	if err := f(ctx); err != nil {
		return worst, err
	}
	after := look(walk)
	worst.Compute, worst.Memory = max(worst.Compute, after.Compute), max(worst.Memory, after.Memory)
	if s, a := stolenTicks(); a > all {
		worst.Steal = 100 * float64(s-stolen) / float64(a-all)
	}
	return worst, nil
}

// look times pieces of both kinds of work by turns.
func look(walk []uint32) Noise {
	compute, memory := make([]float64, noisePieces), make([]float64, noisePieces)
	state, at := uint64(1), 0
	for i := range noisePieces {
		begin := time.Now()
		for range noiseSteps {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
		}
		middle := time.Now()
		for range noiseLines {
			// A step of 4,133 lines, and what was read decides on the next.
			at = (at + 4133*16 + int(walk[at]>>31)) % len(walk)
			state += uint64(walk[at])
		}
		compute[i], memory[i] = float64(middle.Sub(begin)), float64(time.Since(middle))
	}
	runtime.KeepAlive(state) // or the compiler leaves the work out
	return Noise{Compute: apart(compute), Memory: apart(memory)}
}

func apart(times []float64) float64 {
	return 100 * (Quantile(times, 0.9) - Quantile(times, 0.1)) / Quantile(times, 0.5)
}

// stolenTicks reads what was stolen, and all time, of all CPUs. Zeros where
// the kernel does not say.
func stolenTicks() (stolen, all uint64) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return 0, 0
	}
	// user nice system idle iowait irq softirq steal
	var t [8]uint64
	if _, err := fmt.Sscanf(line, "cpu %d %d %d %d %d %d %d %d", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]); err != nil {
		return 0, 0
	}
	for _, v := range t {
		all += v
	}
	return t[7], all
}

// Note returns the record with what was seen of the machine beside its raw
// numbers.
func (n Noise) Note(r Record) Record {
	r.Raw = maps.Clone(r.Raw)
	if r.Raw == nil {
		r.Raw = make(map[string]float64)
	}
	r.Raw[noiseCompute], r.Raw[noiseMemory], r.Raw[noiseSteal] = n.Compute, n.Memory, n.Steal
	return r
}

// Noisy says what about the machine forbids a conclusion; "" if nothing
// does, or nothing was watched, as where instructions are counted.
func (r Record) Noisy() string {
	for _, l := range []struct {
		name  string
		limit float64
		what  string
	}{
		{noiseCompute, computeLimit, "the same arithmetic took times %.0f %% apart, the limit is %d %%"},
		{noiseMemory, memoryLimit, "the same walk through memory took times %.0f %% apart, the limit is %d %%"},
		{noiseSteal, stealLimit, "%.0f %% of the machine's time went to somebody else, the limit is %d %%"},
	} {
		if v, ok := r.Raw[l.name]; ok && v > l.limit {
			return fmt.Sprintf(l.what, v, int(l.limit))
		}
	}
	return ""
}
