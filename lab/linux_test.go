// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/lab"
)

// TestLinuxOnAProcessor runs the native host without Xen, on emulated processors: classes by
// the kernel's own resctrl, and latency by its own uncore drivers. It runs alone, as
// TestContended does.
func TestLinuxOnAProcessor(t *testing.T) {
	program, err := mjump.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	counters := func(_, test string) bool { return strings.Contains(test, "Perf") }
	classes := func(pkg, test string) bool { return !counters(pkg, test) }
	contended := lab.Config{Mode: lab.Contended, BusService: 10 * time.Microsecond, Add: []lab.File{{Host: program, Guest: "/usr/bin/mjump"}}}
	for _, tt := range []struct {
		processor, release string
		lab.Config
		wanted func(pkg, test string) bool
	}{
		{"icelake-server", "bookworm", lab.Config{}, classes},
		{"sapphire-rapids", "trixie", lab.Config{}, classes},
		{"skylake-client", "bookworm", contended, counters},
		{"icelake-client", "bookworm", contended, counters},
	} {
		t.Run(tt.processor, func(t *testing.T) {
			c := tt.Config
			c.Xen, c.Release, c.Processor, c.Timeout = lab.NoXen, tt.release, tt.processor, 15*time.Minute
			these(t, c, tt.wanted, "lab/suite/linux")
		})
	}
}

// TestRegistersAreHidden reads a processor's registers in guests, with and without virtual
// counters of their own. Guests of kind PVH need the emulator's SVM, which only AMD's
// processors have.
func TestRegistersAreHidden(t *testing.T) {
	program := filepath.Join(t.TempDir(), "registers")
	build := exec.Command("go", "build", "-o", program, "./lab/suite/registers")
	build.Dir = ".."
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	const classes = "psr=cat,mba,cmt"
	for _, tt := range []struct {
		processor, args string
		guest           lab.Guest
	}{
		{"skylake-client", "", lab.PV},
		{"skylake-server", classes, lab.PV},
		{"icelake-server", classes, lab.PV},
		{"epyc-milan", "", lab.PV},
		{"epyc-milan", "", lab.PVH},
	} {
		for _, vpmu := range []string{"vpmu=off", "vpmu=on"} {
			t.Run(tt.processor+" "+string(tt.guest)+" "+vpmu, func(t *testing.T) {
				inDom0(t, lab.Config{
					Xen: lab.VlibXen, Processor: tt.processor, Guest: tt.guest, DomUs: 1, XenArgs: strings.TrimSpace(tt.args + " " + vpmu),
					DomUAdd: []lab.File{{Host: program, Guest: "/usr/bin/registers"}}, Timeout: 15 * time.Minute,
				}, "lab/suite/registers")
			})
		}
	}
}
