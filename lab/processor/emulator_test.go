// SPDX-License-Identifier: Apache-2.0

package processor

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vlibos/vlibos/lab/membus"
)

// driver compiles the emulator's files with a driver in place of QEMU, once.
var driver = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "processor-")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, membus.ProcessorStateName), membus.ProcessorState(), 0o644); err != nil {
		return "", err
	}
	files, err := filepath.Glob("emulator/*.c")
	if err != nil {
		return "", err
	}
	built := filepath.Join(dir, "drive")
	out, err := exec.Command(compiler, append([]string{"-O2", "-Wall", "-Wextra", "-Werror", "-pthread",
		"-I", "testdata", "-I", "emulator", "-I", dir, "-o", built, "testdata/drive.c"}, files...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return built, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built, err := driver(); err == nil {
		os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(code)
}

// machine is a machine with an emulated processor.
type machine struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func start(t *testing.T, name string) *machine {
	t.Helper()
	built, err := driver()
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(state, make([]byte, membus.ProcessorStateBytes), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(built)
	cmd.Env = append(os.Environ(), "VLIBOS_PROCESSOR="+name, "VLIBOS_PROCESSOR_STATE="+state)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &machine{t, in, bufio.NewScanner(out)}
}

// do gives the machine a command of testdata/drive.c and returns its answer.
func (m *machine) do(command string) string {
	m.t.Helper()
	if _, err := fmt.Fprintln(m.in, command); err != nil {
		m.t.Fatal(err)
	}
	if !m.out.Scan() {
		m.t.Fatalf("%q: no answer", command)
	}
	return m.out.Text()
}

// expect gives the machine commands and compares the answers. A line is a command, an arrow
// and the answer.
func (m *machine) expect(script string) {
	m.t.Helper()
	for line := range strings.Lines(script) {
		command, want, ok := strings.Cut(strings.TrimSpace(line), " -> ")
		if !ok {
			continue
		}
		if got := m.do(command); got != want {
			m.t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
}

func TestEachProcessorIsInBothTables(t *testing.T) {
	for _, name := range Names() {
		m := start(t, name)
		p, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		allocates := m.do("cpuid 10 0 0 0 0 0") != "0 0 0 0"
		counts := m.do("read 0 3b2") != "none" || m.do("read 0 3b3") != "none" || m.do("read 0 e01") != "none" || m.do("read 0 c0010230") != "none"
		if allocates != p.Allocates || counts != p.Counters {
			t.Errorf("%s: classes %v, counters %v; the table in Go says %v and %v", name, allocates, counts, p.Allocates, p.Counters)
		}
	}
	if _, err := Find("i486"); err == nil || !strings.Contains(err.Error(), "epyc-genoa") {
		t.Errorf("an unknown processor: %v", err)
	}
}

// SDM 3, 18.19.4.2 and volume 4: masks of Intel's are contiguous, not empty, and of the length
// that CPUID says; a class or an ID out of range is a fault; all ways are set at reset.
func TestIntelsMasksAreContiguous(t *testing.T) {
	start(t, "icelake-server").expect(`
		cpuid 10 1 0 0 0 0 -> b c00 4 e
		read 0 c90 -> fff
		write 0 c91 3 -> done
		write 0 c91 5 -> fault
		write 0 c91 0 -> fault
		write 0 c91 1000 -> fault
		write 0 c91 100000001 -> fault
		read 1 c91 -> 3
		write 0 c9f 1 -> none
		write 1 c8f 100000002 -> done
		read 1 c8f -> 100000002
		obey 1 -> 1 2 fffff 3 0
		obey 0 -> 0 0 fffff fff 0
		write 1 c8f f00000000 -> fault
		write 1 c8f e0 -> fault
		obey 1 -> 1 2 fffff 3 0
		write 0 d10 1 -> none
	`)
}

// SDM 3, 18.19.4.3: with CDP, class n has the registers 2n for data and 2n+1 for code.
func TestCodeAndDataHaveMasksOfTheirOwn(t *testing.T) {
	start(t, "sapphire-rapids").expect(`
		write 0 c92 f -> done
		write 0 c93 70 -> done
		write 0 c8f 100000000 -> done
		obey 0 -> 1 0 ffff 7fff 0
		write 0 c81 2 -> fault
		write 0 c81 1 -> done
		obey 0 -> 1 0 ffff f 0
		write 0 c81 0 -> done
		obey 0 -> 1 0 ffff 7fff 0
		write 0 d11 3 -> done
		obey 0 -> 1 0 3 7fff 0
		write 0 c82 1 -> done
		obey 0 -> 1 0 ffff 7fff 0
	`)
}

// SDM 3, 18.19.7: a delay of 50 % doubles the time of a request, which is a turn more. One
// above the greatest is taken as that.
func TestIntelsDelayIsLinear(t *testing.T) {
	start(t, "icelake-server").expect(`
		cpuid 10 3 0 0 0 0 -> 59 0 4 e
		write 0 d50 32 -> done
		obey 0 -> 0 0 fffff fff 400
		write 0 d50 5a -> done
		obey 0 -> 0 0 fffff fff 2400
		write 0 d50 64 -> done
		read 0 d50 -> 5a
		write 0 d50 10000 -> fault
		write 0 d50 0 -> done
		obey 0 -> 0 0 fffff fff 0
	`)
}

// SDM 3, 18.19.7: without the bit of CPUID that says linear, delays are powers of two, and others
// are rounded down.
func TestIntelsDelayMayBeAPowerOfTwo(t *testing.T) {
	start(t, "icelake-server-powers").expect(`
		cpuid 10 3 0 0 0 0 -> 1ff 0 0 e
		write 0 d50 3f -> done
		read 0 d50 -> 20
		obey 0 -> 0 0 fffff fff 200
		write 0 d50 3ff -> done
		read 0 d50 -> 200
		write 0 d50 0 -> done
		obey 0 -> 0 0 fffff fff 0
		write 0 d50 10000 -> fault
	`)
}

// APM 2, 19.4: AMD's masks may have gaps; a limit is a part of the bus; without one, a bit says
// so.
func TestAMDsLimitIsAPartOfTheBus(t *testing.T) {
	start(t, "epyc-milan").expect(`
		cpuid 10 1 0 0 0 0 -> f 0 c f
		cpuid 80000020 0 0 0 0 0 -> 0 2 0 0
		cpuid 80000020 1 0 0 0 0 -> b 0 0 f
		cpuid 80000008 0 0 0 0 0 -> 0 40 0 0
		cpuid 10 0 0 0 0 0 -> 0 2 0 0
		write 0 c91 5 -> done
		read 0 c0000200 -> 800
		obey 0 -> 0 0 ff ffff 0
		write 0 c0000200 400 -> done
		obey 0 -> 0 0 ff ffff 3ff
		write 0 c0000200 1000 -> fault
		write 0 d50 1 -> none
	`)
}

// SDM 3, 18.18: occupancy and bandwidth are in units that CPUID says; an unknown ID or event is
// an error in bit 63; counters wrap at their width.
func TestMonitoringIsByID(t *testing.T) {
	start(t, "icelake-server").expect(`
		cpuid f 0 0 0 0 0 -> 0 df 0 2
		cpuid f 1 0 0 0 0 -> 8 10000 df 7
		cache 5 1000 2800 -> done
		write 0 c8d 500000001 -> done
		read 0 c8e -> 4
		read 1 c8e -> 8000000000000000
		write 0 c8d 500000002 -> done
		read 0 c8e -> a
		write 0 c8d 500000003 -> done
		read 0 c8e -> a
		write 0 c8d 500000004 -> done
		read 0 c8e -> 8000000000000000
		write 0 c8d e000000001 -> done
		read 0 c8e -> 8000000000000000
		write 0 c8d 100 -> fault
		write 0 c8e 0 -> fault
		cache 5 0 40000000000 -> done
		write 0 c8d 500000002 -> done
		read 0 c8e -> 0
	`)
}

// SDM 4: the two counters of a client count requests and occupancy of all CPUs while they are
// enabled, in cycles of 2 GHz, and wrap.
func TestClientsCountersMove(t *testing.T) {
	start(t, "skylake-client").expect(`
		write 0 3b2 400180 -> done
		write 0 3b3 400181 -> done
		bus 0 1 1 -> done
		read 0 3b0 -> 0
		write 0 e01 20000000 -> done
		read 0 3b1 -> 0
		bus 0 10 100 -> done
		bus 1 1 20 -> done
		read 1 3b0 -> 240
		read 1 3b1 -> 11
		write 0 e01 0 -> done
		bus 0 1 1 -> done
		read 0 3b1 -> 11
		write 0 3b1 fffffffffff -> done
		write 0 e01 20000000 -> done
		bus 0 2 2 -> done
		read 0 3b1 -> 1
		write 0 3b1 100000000000 -> fault
		write 0 3b3 100000000 -> fault
		write 0 3b3 181 -> done
		bus 0 2 2 -> done
		read 0 3b1 -> 1
		read 0 c90 -> none
		cpuid 7 0 1 ffffffff 2 3 -> 1 ffff6fff 2 3
	`)
}

// One counter has one event at a time.
func TestOneCounterForTwoEvents(t *testing.T) {
	start(t, "icelake-client").expect(`
		write 0 e01 20000000 -> done
		write 0 3b3 400180 -> done
		bus 0 1 10 -> done
		read 0 3b1 -> 20
		write 0 3b3 400181 -> done
		read 0 3b1 -> 20
		bus 0 1 10 -> done
		read 0 3b1 -> 21
		read 0 3b2 -> none
	`)
}

// UPM 1: the global register has a bit that starts all counters, and one that stops them.
func TestServersCountersStartAndStop(t *testing.T) {
	start(t, "skylake-server").expect(`
		write 0 e01 402136 -> done
		write 0 e02 402135 -> done
		write 0 e06 3b -> done
		read 0 e06 -> 3b
		bus 0 1 1 -> done
		read 0 e09 -> 0
		write 0 700 2000000000000000 -> done
		bus 0 3 6 -> done
		read 0 e08 -> c
		read 0 e09 -> 3
		write 0 700 8000000000000000 -> done
		bus 0 3 6 -> done
		read 0 e09 -> 3
	`)
}

func TestAMDsLatencyIsInTensOfNanoseconds(t *testing.T) {
	start(t, "epyc-milan").expect(`
		write 0 c0010230 300c00000403fac -> done
		write 0 c0010232 300c00000403fad -> done
		bus 0 4 190 -> done
		read 0 c0010231 -> 28
		read 0 c0010233 -> 4
	`)
}

// CPUID says of the caches what the plugin models.
func TestCachesAreTheModels(t *testing.T) {
	start(t, "icelake-server").expect(`
		cpuid 4 1 22 1 2 3 -> 22 1 2 3
		cpuid 4 2 43 1 2 3 -> 43 4c0003f ff 3
		cpuid 4 3 4163 1 2 3 -> 4163 2c0003f fff 3
		cpuid 4 4 0 0 0 0 -> 0 0 0 0
	`)
}
