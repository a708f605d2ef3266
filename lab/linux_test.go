// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/lab"
)

// TestLinuxOnAProcessor runs the native host without Xen, on emulated processors: classes and
// monitoring by the kernel's own resctrl, and latency by its own uncore drivers. It runs alone, as
// TestContended does.
func TestLinuxOnAProcessor(t *testing.T) {
	program, err := mjump.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	having := func(word string) func(_, test string) bool {
		return func(_, test string) bool { return strings.Contains(test, word) }
	}
	counters, footprint, without, powers := having("Perf"), having("Footprint"), having("WithoutMonitoring"), having("Powers")
	classes := func(pkg, test string) bool {
		return !counters(pkg, test) && !footprint(pkg, test) && !without(pkg, test) && !powers(pkg, test)
	}
	alone := func(pkg, test string) bool { return classes(pkg, test) && !strings.Contains(test, "Daemon") }
	jump := []lab.File{{Host: program, Guest: "/usr/bin/mjump"}}
	contended := lab.Config{Mode: lab.Contended, BusService: 10 * time.Microsecond, Add: jump}
	// Turns that short cost nothing.
	counted := lab.Config{Mode: lab.Contended, BusService: 100 * time.Nanosecond, Add: jump}
	for _, tt := range []struct {
		processor, release string
		lab.Config
		wanted func(pkg, test string) bool
	}{
		// A busy emulator starts a daemon's guard too late, but not where time is counted.
		{"icelake-server", "bookworm", lab.Config{Mode: lab.Counted}, classes},
		{"icelake-server", "bookworm", lab.Config{Mode: lab.Counted, KernelArgs: "rdt=!cmt"}, without},
		{"icelake-server", "bookworm", counted, footprint},
		{"icelake-server-powers", "bookworm", lab.Config{Mode: lab.Counted}, powers},
		{"sapphire-rapids", "trixie", lab.Config{}, alone},
		{"skylake-client", "bookworm", contended, counters},
	} {
		t.Run(strings.TrimSpace(tt.processor+" "+string(tt.Mode)+" "+tt.KernelArgs), func(t *testing.T) {
			c := tt.Config
			c.Xen, c.Release, c.Processor, c.Timeout = lab.NoXen, tt.release, tt.processor, 15*time.Minute
			these(t, c, tt.wanted, "lab/suite/linux")
		})
	}
}

// TestNativeOnCgroup2 runs the native host's tests on a kernel with cgroups of version 2 alone,
// which build machines often lack. It leaves out those that take minutes, one for version 1,
// and those with a lease of two seconds, which a busy emulator misses: TestSoakNativeHost has
// these.
func TestNativeOnCgroup2(t *testing.T) {
	const leftOut = "^Test(HalfADomainIsAnError|Churn|Cost|Share|GuardRestoresWhatWas|PayerDies|CloseLeaves|DaemonDies)$"
	nativeHost(t, lab.Config{Xen: lab.NoXen, Timeout: 20 * time.Minute}, leftOut)
}

// nativeHost runs the tests of the native host but some, all of which must pass.
func nativeHost(t *testing.T, c lab.Config, leftOut string) {
	t.Helper()
	const pkg = "./dom0/host/native"
	program := filepath.Join(t.TempDir(), "native.test")
	goTest(t, "-c", "-o", program, pkg)
	c.Add = []lab.File{{Host: program, Guest: "/tests/native.test"}}
	c.Args = []string{"/tests/native.test", "-test.v", "-test.timeout", "30m", "-test.skip", leftOut}
	result, stdout, stderr := boot(t, c, true)
	for _, test := range strings.Fields(goTest(t, "-list", "^Test", pkg)) {
		wanted := strings.HasPrefix(test, "Test") && !regexp.MustCompile(leftOut).MatchString(test)
		if wanted && !strings.Contains(stdout, "--- PASS: "+test+" ") {
			t.Errorf("%s did not pass", test)
		}
	}
	if result.Status != 0 || strings.Contains(stdout, "--- SKIP") {
		t.Errorf("status %d, or a test was skipped\n%s", result.Status, stderr)
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
	for _, tt := range []struct {
		processor, args string
		guest           lab.Guest
	}{
		{"skylake-client", "vpmu=off", lab.PV},
		{"skylake-server", "psr=cat,mba,cmt vpmu=on", lab.PV},
		{"epyc-milan", "vpmu=on", lab.PV},
		{"epyc-milan", "vpmu=off", lab.PVH},
		{"epyc-milan", "vpmu=on", lab.PVH},
	} {
		t.Run(tt.processor+" "+string(tt.guest)+" "+tt.args, func(t *testing.T) {
			t.Parallel() // counted: each takes one CPU
			inDom0(t, lab.Config{
				Xen: lab.VlibXen, Mode: lab.Counted, Processor: tt.processor, Guest: tt.guest, DomUs: 1, XenArgs: tt.args,
				DomUAdd: []lab.File{{Host: program, Guest: "/usr/bin/registers"}}, Timeout: 15 * time.Minute,
			}, "lab/suite/registers")
		})
	}
}
