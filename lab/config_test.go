// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/image"
)

func complete(t *testing.T, c Config) Config {
	t.Helper()
	c.Args = []string{"true"}
	c, err := c.complete()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaultsDependOnTheMode(t *testing.T) {
	c := complete(t, Config{DomUs: 2})
	if c.Mode != Functional || c.Guest != PV || c.Xen != StockXen || c.PCPUs != 2 || c.Dom0VCPUs != 2 || c.DomUVCPUs != 1 || c.DomUCPUs != "" {
		t.Errorf("functional: %+v", c)
	}
	if c.MemoryMiB != 1024+160+2*(256+16) || c.dom0MiB() != 1024 {
		t.Errorf("memory %d, Dom0 %d", c.MemoryMiB, c.dom0MiB())
	}
	c = complete(t, Config{Mode: Contended, BusService: time.Microsecond})
	if c.PCPUs != 2 || c.Dom0VCPUs != 1 || c.DomUCPUs != "1" || c.BootTimeout != 10*time.Minute || !strings.Contains(c.xenArgs(), "dom0_vcpus_pin") {
		t.Errorf("contended: %+v", c)
	}
	c = complete(t, Config{Mode: Counted, PCPUs: 4})
	if c.Dom0VCPUs != 1 || c.DomUCPUs != "3" || c.BootTimeout != 10*time.Minute {
		t.Errorf("counted: %+v", c)
	}
}

func TestRefusalNamesWhatIsWrong(t *testing.T) {
	for want, c := range map[string]Config{
		"no command":                             {},
		`mode "fast"`:                            {Args: []string{"x"}, Mode: "fast"},
		"only the contended mode":                {Args: []string{"x"}, BusService: 1},
		"bus service time of 1.0":                {Args: []string{"x"}, Mode: Contended, BusService: time.Millisecond + 1},
		`guest "lxc"`:                            {Args: []string{"x"}, Guest: "lxc"},
		"HVM guests in functional mode":          {Args: []string{"x"}, Release: "trixie", Guest: HVM, DomUs: 1, Mode: Functional},
		"HVM guests of bookworm":                 {Args: []string{"x"}, Guest: HVM, DomUs: 1},
		"this machine's IPv4 address":            {Args: []string{"x"}, Join: "socket"},
		"another machine in counted mode":        {Args: []string{"x"}, Join: "socket", Address: netip.MustParsePrefix("10.0.0.1/24"), Mode: Counted},
		"number of CPUs is -1":                   {Args: []string{"x"}, PCPUs: -1},
		"number of DomUs is 1000":                {Args: []string{"x"}, DomUs: 1000},
		"gntalloc limit is -1":                   {Args: []string{"x"}, DomUGntallocLimit: -1},
		"give the machine 944":                   {Args: []string{"x"}, DomUs: 1, MemoryMiB: 500},
		`unknown hypervisor "fast"`:              {Args: []string{"x"}, Xen: "fast"},
		"allows no comma":                        {Args: []string{"x"}, KernelArgs: "console=hvc0,115200"},
		"boot --xen vlib":                        {Args: []string{"x"}, Scheduler: "vlib"},
		`release "sid": want bookworm or trixie`: {Args: []string{"x"}, Release: "sid"},
		`package "--all"`:                        {Args: []string{"x"}, Dom0Packages: []string{"curl", "--all"}},
		`package "fio=1"`:                        {Args: []string{"x"}, DomUPackages: []string{"fio=1"}},
		`scheduler "a b"`:                        {Args: []string{"x"}, Scheduler: "a b"},
		"there is no Xen":                        {Args: []string{"x"}, Xen: NoXen, DomUs: 1},
		"does not start its second":              {Args: []string{"x"}, Xen: NoXen, Mode: Counted, PCPUs: 2},
		"hypervisor: stat /no/such":              {Args: []string{"x"}, Xen: "/no/such/xen"},
		"a time limit is":                        {Args: []string{"x"}, ServerTimeout: time.Millisecond},
		"no such file":                           {Args: []string{"x"}, DomUAdd: []File{{Host: "/no/such/file", Guest: "/x"}}},
	} {
		_, err := c.complete()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

func TestCommandLinesHaveTheConfiguration(t *testing.T) {
	c := complete(t, Config{Mode: Counted, DomUs: 2, Guest: PVH, XenArgs: "sched=null", KernelArgs: "quiet", DomUGntallocLimit: 4096, DomUKernelArgs: "debug"})
	xen := c.xenArgs()
	for _, want := range []string{"spec-ctrl=eager-fpu", "dom0_mem=1024M,max:1024M", "dom0_max_vcpus=1", "dom0_vcpus_pin", "com1=115200,8n1"} {
		if !strings.Contains(xen, want) {
			t.Errorf("no %s in %q", want, xen)
		}
	}
	if !strings.HasSuffix(xen, " sched=null") || !strings.HasSuffix(c.dom0Args(), " vlibos.role=dom0 quiet") {
		t.Errorf("additions: %q, %q", xen, c.dom0Args())
	}
	domains := c.domains()
	if len(domains) != 2 || domains[0].Name != "vlib1" || domains[1].Name != "vlib2" {
		t.Fatalf("domains %+v", domains)
	}
	for _, want := range []string{
		"type = \"pvh\"\n", "tsc_mode = \"native\"\n", "cpus = \"1\"\n", "memory = 256\n", "vcpus = 1\n",
		"vlibos.role=domu vlibos.name=vlib2 xen_privcmd.unrestricted=1 xen_gntalloc.limit=4096 debug\"\n",
	} {
		if !strings.Contains(domains[1].Config, want) {
			t.Errorf("no %q in\n%s", want, domains[1].Config)
		}
	}
	if c = complete(t, Config{DomUs: 1}); strings.Contains(c.xenArgs()+c.domains()[0].Config, "pin") || strings.Contains(c.domains()[0].Config, "limit") {
		t.Error("the functional mode pins, or limits gntalloc")
	}
}

func TestSchedulerIsOnXensCommandLine(t *testing.T) {
	for want, c := range map[string]Config{
		" sched=vlib":          {Xen: VlibXen},
		" sched=credit2":       {Xen: VlibXen, Scheduler: "credit2"},
		" sched=rtds":          {Scheduler: "rtds"},
		" sched=vlib watchdog": {Xen: VlibXen, XenArgs: "watchdog"},
	} {
		if got := complete(t, c).xenArgs(); !strings.HasSuffix(got, want) {
			t.Errorf("%+v: %q, want %q at its end", c, got, want)
		}
	}
	if got := complete(t, Config{}).xenArgs(); strings.Contains(got, "sched=") {
		t.Errorf("stock Xen: %q chooses a scheduler", got)
	}
}

// Without Xen, all of the memory is Linux', and its command line may have commas.
func TestLinuxAloneHasTheWholeMachine(t *testing.T) {
	c := complete(t, Config{Xen: NoXen, KernelArgs: "rdt=cmt,!mba"})
	if want := "console=ttyS0 panic=1 rodata=off cryptomgr.notests no_timer_check vlibos.role=linux rdt=cmt,!mba"; c.dom0Args() != want || c.MemoryMiB != 1024 || c.dom0MiB() != 1024 || c.PCPUs != 2 {
		t.Errorf("%q, %+v", c.dom0Args(), c)
	}
	if c = complete(t, Config{Xen: NoXen, Mode: Counted}); c.PCPUs != 1 {
		t.Errorf("%d CPUs in counted mode", c.PCPUs)
	}
}

func TestOnlyAServerIsAwaited(t *testing.T) {
	c := complete(t, Config{DomUs: 1, ServerTimeout: 7 * time.Second})
	if got := c.job(true).WaitSeconds; got != 7 {
		t.Errorf("waits for %d seconds, want 7", got)
	}
	if got := c.job(false).WaitSeconds; got != 0 {
		t.Errorf("waits for %d seconds for a missing server", got)
	}
	c.NoWait = true
	if got := c.job(true).WaitSeconds; got != 0 {
		t.Errorf("waits for %d seconds in spite of NoWait", got)
	}
}

func TestFileIsAHostAndAnAbsoluteGuestPath(t *testing.T) {
	if f, err := ParseFile("a/b:/usr/bin/"); err != nil || f != (File{"a/b", "/usr/bin/"}) {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"", "a", ":/x", "a:", "a:b"} {
		if f, err := ParseFile(bad); err == nil {
			t.Errorf("%q is %+v", bad, f)
		}
	}
}

func TestConsoleHasTheLastLinesAndTheFirstDeath(t *testing.T) {
	var tee bytes.Buffer
	c := newConsole(&tee)
	for i := range 100 {
		fmt.Fprintf(c, "line %d\r\n", i)
	}
	c.Write([]byte("an open line"))
	tail := c.tail()
	if len(tail) != consoleLines+1 || tail[0] != "line 60" || tail[40] != "an open line" {
		t.Errorf("tail %q", tail)
	}
	select {
	case line := <-c.dead:
		t.Errorf("died of %q", line)
	default:
	}
	for range 3 {
		c.Write([]byte("\n[1.0] Kernel panic - not sync"))
		c.Write([]byte("ing: test\n"))
	}
	if line := <-c.dead; line != "[1.0] Kernel panic - not syncing: test" {
		t.Errorf("died of %q", line)
	}
	c.Write(bytes.Repeat([]byte("x"), 1<<20))
	if tail := c.tail(); len(tail) > consoleLines+1 || len(tail[0]) > 1024 {
		t.Errorf("%d lines, the first of %d bytes", len(tail), len(tail[0]))
	}
}

func TestErrorNamesWhatWasAwaited(t *testing.T) {
	err := error(&Error{Awaited: "Dom0", Err: ErrTimeout, Console: []string{"a", "b"}, Logs: []Log{{"vlib1", "x\r\ny\n\n"}}})
	if err.Error() != "timeout (awaited: Dom0)" || !errors.Is(err, ErrTimeout) {
		t.Errorf("error %v", err)
	}
	want := "--- last lines of the Xen and Dom0 console\na\nb\n--- console of vlib1\nx\ny\n"
	if got := err.(*Error).Report(); got != want {
		t.Errorf("report %q, want %q", got, want)
	}
}

func TestHypervisorIsFoundByNameOrPath(t *testing.T) {
	base := &image.Base{Dir: "/base"}
	file := filepath.Join(t.TempDir(), "xen")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{"/base/xen": {}, file: {Xen: file}} {
		got, err := hypervisor(t.Context(), complete(t, c).Xen, base, false, io.Discard)
		if got.Path != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", c.Xen, got.Path, err, want)
		}
	}
}

func TestProgramsAreFoundInTheModule(t *testing.T) {
	dir := t.TempDir()
	if _, err := binDir(dir); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("no init program: %v", err)
	}
	for _, name := range []string{initProgram, "vlib-server"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := binDir(dir); got != dir || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	files, err := programs(dir, domuPrograms)
	if err != nil || len(files) != 1 || files[0].Guest != "/usr/bin/vlib-server" {
		t.Errorf("%+v, %v", files, err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if root, ok := moduleRoot(wd); !ok || filepath.Join(root, "lab") != wd {
		t.Errorf("module root %q, %v", root, ok)
	}
	if root, ok := moduleRoot(dir); ok {
		t.Errorf("module root %q outside of the module", root)
	}
}

// Packages get memory if the configuration leaves it to the lab, and only then.
func TestPackagesGetMemory(t *testing.T) {
	p := packages{dom0Bytes: 100 << 20, domuBytes: 60 << 20}
	without := complete(t, Config{DomUs: 2})
	with := p.makeRoom(Config{DomUs: 2}, without)
	if got := with.DomUMemoryMiB - without.DomUMemoryMiB; got < 2*60 {
		t.Errorf("a DomU gets %d MiB more, less than twice its packages", got)
	}
	if got := with.dom0MiB() - without.dom0MiB(); got < 2*(100+2*60) {
		t.Errorf("Dom0 gets %d MiB more, too little for its packages and its DomUs'", got)
	}
	said := Config{DomUs: 2, MemoryMiB: 3000, DomUMemoryMiB: 300}
	if c := p.makeRoom(said, complete(t, said)); c.MemoryMiB != 3000 || c.DomUMemoryMiB != 300 {
		t.Errorf("said 3000 and 300 MiB, got %d and %d", c.MemoryMiB, c.DomUMemoryMiB)
	}
	if same := (packages{}).makeRoom(Config{DomUs: 2}, without); same.MemoryMiB != without.MemoryMiB || same.DomUMemoryMiB != without.DomUMemoryMiB {
		t.Errorf("without packages %d and %d MiB", same.MemoryMiB, same.DomUMemoryMiB)
	}
}
