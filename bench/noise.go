// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strings"
	"time"
)

// Noise says how much the machine disturbed work that is always the same. All
// figures are in per cent.
type Noise struct {
	// Compute and Memory are the spread of the times of equal pieces of work,
	// arithmetic and a walk through memory: the 90th percentile less the
	// 10th, divided by the median.
	Compute, Memory float64
	// Steal is the part of the machine's CPU time that a hypervisor gave to
	// other machines.
	Steal float64
}

// Beyond these limits, in per cent, nothing is concluded from times. The limit
// of Memory is wider: a last-level cache that other machines share always
// varies, and every comparison is interleaved.
const (
	computeLimit = 10
	memoryLimit  = 30
	stealLimit   = 5
)

// The names of the three figures in a record's Raw.
const (
	noiseCompute = "noise_compute_percent"
	noiseMemory  = "noise_memory_percent"
	noiseSteal   = "noise_steal_percent"
)

// Watch times noisePieces pieces of each kind of work before an experiment and
// after it. That takes less than a second.
const (
	noisePieces = 150
	noiseSteps  = 200_000
	noiseWalk   = 64 << 20 // larger than the private caches
	noiseLines  = 5_000
)

// Watch measures the machine's noise before and after f, on the CPU of the
// calling thread, and returns the worse values. Each experiment is one f.
func Watch(ctx context.Context, f func(context.Context) error) (Noise, error) {
	walk := make([]uint32, noiseWalk/4)
	for i := range walk {
		walk[i] = uint32(i)
	}
	stolen, all := Stolen("cpu")
	worst := look(walk)
	if err := f(ctx); err != nil {
		return worst, err
	}
	after := look(walk)
	worst.Compute, worst.Memory = max(worst.Compute, after.Compute), max(worst.Memory, after.Memory)
	if s, a := Stolen("cpu"); a > all {
		worst.Steal = 100 * float64(s-stolen) / float64(a-all)
	}
	return worst, nil
}

// look times pieces of both kinds of work in turn.
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
			// A step of 4,133 lines. The value that was read is part of the next step.
			at = (at + 4133*16 + int(walk[at]>>31)) % len(walk)
			state += uint64(walk[at])
		}
		compute[i], memory[i] = float64(middle.Sub(begin)), float64(time.Since(middle))
	}
	runtime.KeepAlive(state) // or the compiler omits the work
	return Noise{Compute: apart(compute), Memory: apart(memory)}
}

func apart(times []float64) float64 {
	return 100 * (Quantile(times, 0.9) - Quantile(times, 0.1)) / Quantile(times, 0.5)
}

// Stolen returns the stolen time and all time of a CPU, in clock ticks, by its name in
// /proc/stat; "cpu" stands for all CPUs. It returns zeros if the kernel does not
// report them.
func Stolen(cpu string) (stolen, all uint64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, cpu+" ")
		if !ok {
			continue
		}
		// user nice system idle iowait irq softirq steal
		var t [8]uint64
		if _, err := fmt.Sscan(rest, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]); err != nil {
			return 0, 0
		}
		for _, v := range t {
			all += v
		}
		return t[7], all
	}
	return 0, 0
}

// Note returns the record with the noise among its raw numbers.
func (n Noise) Note(r Record) Record {
	r.Raw = maps.Clone(r.Raw)
	if r.Raw == nil {
		r.Raw = make(map[string]float64)
	}
	r.Raw[noiseCompute], r.Raw[noiseMemory], r.Raw[noiseSteal] = n.Compute, n.Memory, n.Steal
	return r
}

// Noisy says which noise forbids a conclusion. It is "" if none does, or if no
// noise was measured, as where instructions are counted.
func (r Record) Noisy() string {
	for _, l := range []struct {
		name  string
		limit float64
		what  string
	}{
		{noiseCompute, computeLimit, "the same arithmetic took times %.0f %% apart, the limit is %d %%"},
		{noiseMemory, memoryLimit, "the same walk through memory took times %.0f %% apart, the limit is %d %%"},
		{noiseSteal, stealLimit, "%.0f %% of the machine's time went to other machines, the limit is %d %%"},
	} {
		if v, ok := r.Raw[l.name]; ok && v > l.limit {
			return fmt.Sprintf(l.what, v, int(l.limit))
		}
	}
	if pairs, ok := r.Raw["pairs"]; ok && (pairs < leastPairs || pairs < r.Raw[rawRepeats]/2) {
		return fmt.Sprintf("%.0f of %.0f pairs of blocks are left, and at least %d, and half of them, are needed", pairs, r.Raw[rawRepeats], leastPairs)
	}
	return ""
}
