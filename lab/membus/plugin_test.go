// SPDX-License-Identifier: Apache-2.0

package membus

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/throttle/model"
)

// plugin is memory.c, compiled with a driver instead of QEMU.
type plugin string

func compilePlugin(t *testing.T) plugin {
	t.Helper()
	program := filepath.Join(t.TempDir(), "drive")
	out, err := exec.Command(compiler, "-O2", "-Wall", "-Werror", "-pthread", "-I", "testdata", "-I", "plugin",
		"-o", program, "testdata/drive.c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return plugin(program)
}

// counts are those of one CPU.
type counts struct{ accesses, misses, requests, occupancy uint64 }

// drive runs threads that each walk through a number of bytes, a line at a time.
func (p plugin) drive(t *testing.T, service, threads, rounds int, bytes, start uint64) (cpus []counts, elapsed uint64) {
	t.Helper()
	return p.driveOn(t, 0, service, threads, rounds, bytes, start)
}

// driveOn runs them on one CPU of this machine if on is 1, on all if it is 0.
func (p plugin) driveOn(t *testing.T, on, service, threads, rounds int, bytes, start uint64) (cpus []counts, elapsed uint64) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "counters")
	if err := os.WriteFile(file, make([]byte, model.Bytes), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(string(p), "counters="+file, fmt.Sprint(service), fmt.Sprint(threads), fmt.Sprint(rounds),
		fmt.Sprint(bytes), fmt.Sprint(start), fmt.Sprint(on)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	in := strings.NewReader(string(out))
	for range threads {
		var c counts
		if _, err := fmt.Fscan(in, &c.accesses, &c.misses, &c.requests, &c.occupancy); err != nil {
			t.Fatalf("%v in %q", err, out)
		}
		cpus = append(cpus, c)
	}
	if _, err := fmt.Fscan(in, &elapsed); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	// The guest's reader accepts the file.
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bus, err := model.OpenFile(f)
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	c, err := bus.Read(0)
	if err != nil || c.Requests != cpus[0].requests || bus.CPUs() != 3 ||
		bus.Geometry() != (model.Geometry{LineBytes: 64, PrivateBytes: 256 << 10, SharedBytes: 2 << 20, SharedWays: 8}) {
		t.Errorf("read as %+v, %+v, %v", c, bus.Geometry(), err)
	}
	return cpus, elapsed
}

// Sizes for the private cache, for the shared one, and for neither.
const (
	small  = 128 << 10
	middle = 1 << 20
	large  = 6 << 20
	line   = 64
)

func TestOnlyMissesOfBothCachesUseTheBus(t *testing.T) {
	p := compilePlugin(t)
	const rounds, service = 3, 100
	for _, test := range []struct {
		name             string
		service          int
		bytes, start     uint64
		misses, requests uint64
	}{
		{"data of a private cache's size", service, small, 0, small / line, small / line},
		{"data of the shared cache's size", service, middle, 0, rounds * middle / line, middle / line},
		{"data larger than the caches", service, large, 0, rounds * large / line, rounds * large / line},
	} {
		c, elapsed := p.drive(t, test.service, 1, rounds, test.bytes, test.start)
		want := counts{rounds * test.bytes / line, test.misses, test.requests, service * test.requests}
		if c[0] != want {
			t.Errorf("%s: %+v, want %+v", test.name, c[0], want)
		}
		if elapsed < want.occupancy {
			t.Errorf("%s: it took %d ns, %d of them on the bus", test.name, elapsed, want.occupancy)
		}
	}
	if c, _ := p.drive(t, 0, 1, rounds, middle, 0); c[0] != (counts{}) {
		t.Errorf("with no service time: %+v", c[0])
	}
	if c, _ := p.drive(t, service, 1, rounds, middle, 1<<40); c[0] != (counts{}) {
		t.Errorf("accesses to a device: %+v", c[0])
	}
}

// However the threads run, the bus serves one request at a time.
func TestBusServesOneAtATime(t *testing.T) {
	p := compilePlugin(t)
	const threads, service = 3, 2000
	c, elapsed := p.drive(t, service, threads, 1, middle, 0)
	var requests, occupancy uint64
	for i, one := range c {
		if one.requests != middle/line || one.occupancy < service*one.requests {
			t.Errorf("CPU %d: %+v", i, one)
		}
		requests += one.requests
		occupancy += one.occupancy
	}
	if elapsed < requests*service {
		t.Errorf("%d turns of %d ns within %d ns", requests, service, elapsed)
	}
	if occupancy > threads*elapsed {
		t.Errorf("%d threads waited %d ns in total, within %d ns", threads, occupancy, elapsed)
	}
	t.Logf("a request of %d threads took %.2f turns", threads, float64(occupancy)/float64(requests*service))
}

// Threads that share a CPU of the host delay each other as the CPUs that they emulate
// would, although they never run at the same time.
func TestThreadsContendOnABusyHost(t *testing.T) {
	const threads, service = 2, 2000
	c, elapsed := compilePlugin(t).driveOn(t, 1, service, threads, 8, middle, 1<<30)
	requests, occupancy := c[0].requests+c[1].requests, c[0].occupancy+c[1].occupancy
	turns := float64(occupancy) / float64(requests*service)
	if turns < 1.2 || occupancy > threads*elapsed {
		t.Errorf("a request of %d threads on one CPU took %.2f turns, want at least 1.2; %d ns in total, within %d ns", threads, turns, occupancy, elapsed)
	}
	t.Logf("a request of %d threads on one CPU took %.2f turns", threads, turns)
}
