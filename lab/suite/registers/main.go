// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// msr is a register. Names are those of the manuals (docs/research/emulated-processor.md).
type msr struct {
	number int64
	name   string
}

var registers = []msr{
	{0xc1, "IA32_PMC0"}, {0xc2, "IA32_PMC1"}, {0x186, "IA32_PERFEVTSEL0"}, {0x187, "IA32_PERFEVTSEL1"},
	{0x309, "IA32_FIXED_CTR0"}, {0x30a, "IA32_FIXED_CTR1"}, {0x38d, "IA32_FIXED_CTR_CTRL"},
	{0x38e, "IA32_PERF_GLOBAL_STATUS"}, {0x38f, "IA32_PERF_GLOBAL_CTRL"},
	{0x3b0, "ARB_PERFCTR0"}, {0x3b1, "ARB_PERFCTR1"}, {0x3b2, "ARB_PERFEVTSEL0"}, {0x3b3, "ARB_PERFEVTSEL1"},
	{0x394, "FIXED_UNCORE_CTRL"}, {0x395, "FIXED_UNCORE_CTR"}, {0xe01, "UNC_PERF_GLOBAL_CTRL, CHA0_EVTSEL0"},
	{0x700, "U_MSR_PMON_GLOBAL_CTL"}, {0xe00, "CHA0_UNIT_CTL"}, {0xe02, "CHA0_EVTSEL1"}, {0xe05, "CHA0_FILTER0"},
	{0xe08, "CHA0_CTR0"}, {0xe09, "CHA0_CTR1"},
	{0xc81, "IA32_L3_QOS_CFG"}, {0xc82, "IA32_L2_QOS_CFG"}, {0xc8d, "IA32_QM_EVTSEL"}, {0xc8e, "IA32_QM_CTR"},
	{0xc8f, "IA32_PQR_ASSOC"}, {0xc90, "IA32_L3_QOS_MASK_0"}, {0xc91, "IA32_L3_QOS_MASK_1"},
	{0xd10, "IA32_L2_QOS_MASK_0"}, {0xd50, "IA32_L2_QOS_EXT_BW_THRTL_0"}, {0xd51, "IA32_L2_QOS_EXT_BW_THRTL_1"},
	{0xc0000200, "L3QOS_BW_CONTROL_0"}, {0xc0010000, "PERF_LEGACY_CTL0"}, {0xc0010004, "PERF_LEGACY_CTR0"},
	{0xc0010200, "PERF_CTL0"}, {0xc0010201, "PERF_CTR0"}, {0xc0010230, "L3_PERF_CTL0"}, {0xc0010231, "L3_PERF_CTR0"},
	{0xc0010232, "L3_PERF_CTL1"}, {0xc0010233, "L3_PERF_CTR1"}, {0xc0010240, "NB_PERF_CTL0"}, {0xc0010241, "NB_PERF_CTR0"},
}

// counters are RDPMC's: the core's, its fixed ones, and AMD's of the data fabric and of L3.
var counters = []uint32{0, 1, 2, 3, 4, 5, 6, 10, 1 << 30, 1<<30 + 1}

// rdpmc reads a counter. What the processor refuses ends the program with a signal.
func rdpmc(counter uint32) uint64

var signal = regexp.MustCompile(`SIG[A-Z]+`)

func main() {
	if len(os.Args) == 2 { // in a process of its own
		n, err := strconv.ParseUint(os.Args[1], 10, 32)
		if err != nil {
			fmt.Fprintln(os.Stderr, "registers: no number:", os.Args[1])
			os.Exit(2)
		}
		fmt.Print(rdpmc(uint32(n)))
		return
	}
	readRegisters()
	for _, c := range counters {
		out, err := exec.Command("/proc/self/exe", fmt.Sprint(c)).CombinedOutput()
		if err != nil {
			out = signal.Find(out)
		}
		fmt.Printf("rdpmc %#x: %s\n", c, out)
	}
	perf("cycles", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CPU_CYCLES)
	perf("cache-misses", unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CACHE_MISSES)
	perf("raw 0x2e41", unix.PERF_TYPE_RAW, 0x2e41)
	units, _ := filepath.Glob("/sys/bus/event_source/devices/*")
	for _, u := range units {
		fmt.Printf("unit %s: there\n", filepath.Base(u))
	}
}

func readRegisters() {
	exec.Command("modprobe", "msr").Run() // without it there is no device, which is said below
	f, err := os.Open("/dev/cpu/0/msr")
	if err != nil {
		fmt.Println("rdmsr:", err)
		return
	}
	defer f.Close()
	for _, r := range registers {
		var b [8]byte
		answer := ""
		if _, err := unix.Pread(int(f.Fd()), b[:], r.number); err != nil {
			answer = unix.ErrnoName(err.(unix.Errno))
		} else {
			answer = fmt.Sprintf("%#x", binary.LittleEndian.Uint64(b[:]))
		}
		fmt.Printf("rdmsr %#x %s: %s\n", r.number, r.name, answer)
	}
}

func perf(name string, kind uint32, config uint64) {
	attr := unix.PerfEventAttr{Type: kind, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Config: config}
	fd, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		fmt.Printf("perf %s: %s\n", name, unix.ErrnoName(err.(unix.Errno)))
		return
	}
	defer unix.Close(fd)
	var b [8]byte
	if _, err := unix.Read(fd, b[:]); err != nil {
		fmt.Printf("perf %s: %v\n", name, err)
		return
	}
	fmt.Printf("perf %s: %#x\n", name, binary.NativeEndian.Uint64(b[:]))
}
