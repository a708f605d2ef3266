// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
)

// A domain without a reservation has its CPU time and its gate, and with version 2 of
// cgroups how long it waited: two loops on one CPU wait for each other.
func TestWorkIsKnownWithoutAReservation(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		d, _ := start(t, p, "one", "while :; do :; done")
		other, _ := start(t, p, "two", "while :; do :; done")
		pin(t, p, d, lastCPU(t, p))
		pin(t, p, other, lastCPU(t, p))
		work := func() host.Work {
			t.Helper()
			w, err := p.Work(ctx, d)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		var w host.Work
		testkit.Eventually(t, "it has run and waited", func() bool {
			w = work()
			return w.CPU > 10*time.Millisecond && (w.Steal == nil || *w.Steal > 10*time.Millisecond)
		})
		_, err := os.Stat(filepath.Join(p.layout.usage.dir, "one", "cpu.pressure"))
		if told := p.layout.usage.version == 2 && err == nil; (w.Steal != nil) != told || w.Gate != host.GateOpen {
			t.Errorf("%+v; the kernel counts: %t", w, told)
		}
		if err := p.Renew(time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := p.Gate(ctx, d, true); err != nil {
			t.Fatal(err)
		}
		if w := work(); w.Gate != host.GateClosed {
			t.Errorf("the gate is closed: %+v", w)
		}
		facts, err := p.Facts(ctx, d)
		has := func(name, value string) bool { return slices.Contains(facts, host.Fact{Name: name, Value: value}) }
		if err != nil || !has("cpu.shares", "1024") && !has("cpu.weight", "100") {
			t.Errorf("%q, %v", facts, err)
		}
		if err := p.Remove(ctx, "one"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Work(ctx, d); !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
		if _, err := p.Facts(ctx, d); !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
	})
}

func TestPressureIsReadAsTheKernelWritesIt(t *testing.T) {
	for text, want := range map[string]string{
		"some avg10=0.00 avg60=0.12 avg300=0.00 total=12\nfull avg10=0.00 total=7\n": "12µs",
		"": "", "some total=x\n": "", "full total=7": "", "some total=99999999999999999999\n": "",
	} {
		file := filepath.Join(t.TempDir(), "cpu.pressure")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := ""
		if d := waited(file); d != nil {
			got = d.String()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// BenchmarkList is what 'ps -a' asks of the host: all domains, and the work of each.
func BenchmarkList(b *testing.B) {
	p := open1(b, Options{Parent: "vlibos-list"})
	b.Cleanup(func() {
		if err := p.Dissolve(); err != nil {
			b.Error(err)
		}
	})
	const most = 1000
	for i := range most {
		name := fmt.Sprint("d", i)
		if err := p.Create(name); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := p.Remove(ctx, name); err != nil {
				b.Error(err)
			}
		})
	}
	begun := used(b)
	for b.Loop() {
		all, err := p.Domains(ctx)
		if err != nil || len(all) != most {
			b.Fatal(len(all), err)
		}
		for _, d := range all {
			if _, err := p.Work(ctx, d); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64((used(b)-begun).Microseconds())/float64(b.N)/most, "cpu-µs/domain")
}

// used is this process' CPU time: others may load the machine.
func used(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
