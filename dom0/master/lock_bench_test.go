// SPDX-License-Identifier: Apache-2.0

package master

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

// lockCPUs are those of the host on which many VMs begin to ask at once.
const lockCPUs = 64

// BenchmarkVMsBeginToAsk reports for how long the master's lock is held when that many
// VMs begin to ask at once, pinned to a CPU each or allowed on all, and when they ask
// for the same again, as they do twice a second: the time that passes, and CPU time.
func BenchmarkVMsBeginToAsk(b *testing.B) {
	for _, n := range []int{200, 400, 1000} {
		for _, pinned := range []bool{true, false} {
			b.Run(fmt.Sprintf("vms=%d/pinned=%v", n, pinned), func(b *testing.B) {
				var first, again took
				for b.Loop() {
					beginToAsk(b, n, pinned, &first, &again)
				}
				b.ReportMetric(0, "ns/op")
				first.report(b, "first")
				again.report(b, "again")
			})
		}
	}
}

// took is for how long a lock was held.
type took struct{ wall, cpu time.Duration }

func (h took) report(b *testing.B, what string) {
	b.ReportMetric(float64(h.wall.Microseconds())/float64(b.N), "µs-"+what+"/op")
	b.ReportMetric(float64(h.cpu.Microseconds())/float64(b.N), "µs-cpu-"+what+"/op")
}

func (h *took) request(b *testing.B, m *Master, want []api.Reservation) {
	begin, cpu := time.Now(), used(b)
	answers, err := m.Request(b.Context(), want)
	h.wall, h.cpu = h.wall+time.Since(begin), h.cpu+used(b)-cpu
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range answers {
		if a.Problem != "" {
			b.Fatal(a.Problem)
		}
	}
}

func beginToAsk(b *testing.B, n int, pinned bool, first, again *took) {
	h := newHost()
	want := make([]api.Reservation, n)
	all := make([]int, lockCPUs)
	for i := range all {
		all[i] = i
	}
	for i := range want {
		d := domain(fmt.Sprint(i+1), fmt.Sprint("vm-", i), i%lockCPUs)
		if !pinned {
			d.CPUs = all
		}
		h.all = append(h.all, d)
		want[i] = reservation(d.UUID, 50*time.Microsecond, time.Second, host.Batch)
	}
	m, err := Open(b.Context(), h, b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	first.request(b, m, want)
	again.request(b, m, want)
}

// used is the CPU time of this process.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
