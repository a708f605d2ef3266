// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/memory/resctrl"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/throttle/cache"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// wellDom0 is a Dom0 that lacks nothing, with one guest that serves.
func wellDom0() Facts {
	f := Facts{
		Host:   directory.Xen,
		Traces: directory.Traces{Type: "xen", Dom0: true, Xenfs: true, Privcmd: true},
		Root:   true,
		Xen: XenFacts{
			Version: "4.17.5", Capabilities: []string{"xen-3.0-x86_64", "hvm-3.0-x86_64"},
			Interfaces: "domctl 0x15, sysctl 0x15 (Xen 4.17)", Scheduler: "credit2", Weights: true,
		},
		Domains: []Domain{{ID: "0", Name: "Domain-0"}, {ID: "1", Name: "vlib1", Ports: []transport.Port{1, 9}}},
		Native:  NativeFacts{Dir: native.DefaultRoot},
	}
	for _, d := range devices {
		d.Exists, d.Usable = true, true
		f.Devices = append(f.Devices, d)
	}
	return f
}

func wellModule() Module {
	return Module{Present: true, Revision: 3, Version: 1, CPUs: 2, Host: true, Counters: "none here", Reservations: 4}
}

func TestAnAbsentModuleIsNoProblem(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Module
	}{
		{fmt.Errorf("x: %w", vlib.ErrAbsent), Module{Absent: true}},
		{fs.ErrPermission, Module{Problem: fs.ErrPermission.Error(), Denied: true}},
		{vlib.ErrVersion, Module{Problem: vlib.ErrVersion.Error()}},
	} {
		if got := moduleProblem(tt.err); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: %+v, want %+v", tt.err, got, tt.want)
		}
	}
}

func TestCacheFactsTellAbsenceFromErrors(t *testing.T) {
	if c := cacheFacts(resctrl.Layout(filepath.Join(t.TempDir(), "none"))); !c.None || !strings.Contains(c.Problem, "neither Intel RDT nor AMD QoS") {
		t.Errorf("%+v", c)
	}
	if c := cacheFacts(cache.Layout{L3: &cache.Ways{Bits: 11, Classes: 15}}, nil); c.None || c.Problem != "" || !strings.HasPrefix(c.Layout, "L3: 11 parts, 15 classes") {
		t.Errorf("%+v", c)
	}
	if c := cacheFacts(cache.Layout{}, os.ErrPermission); c.None || c.Problem == "" {
		t.Errorf("%+v", c)
	}
}

func TestEachFactHasItsFindingAndVerdict(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*Facts)
		verdict Level
		want    string // "level name text -> remedy", parts of them
	}{
		{"well", func(*Facts) {}, OK, "ok domain 1 (vlib1) has a vLib OS server on port 1 9"},
		{"well", func(*Facts) {}, OK, "ok xen Xen 4.17.5, xen-3.0-x86_64 hvm-3.0-x86_64"},
		{"no guest", func(f *Facts) { f.Domains = f.Domains[:1] }, OK, "note domains there is no guest -> xl create"},
		{"no server", func(f *Facts) { f.Domains[1].Ports = nil }, OK, "note domain 1 (vlib1) has no vLib OS server -> in a guest"},
		{"no gntdev", func(f *Facts) { f.Devices[2].Exists = false }, Missing, "missing device /dev/xen/gntdev does not exist -> modprobe xen-gntdev (permanently"},
		{"not root", func(f *Facts) { f.Root = false; f.Devices[1].Usable = false }, Denied, "denied device /dev/xen/evtchn may not"},
		{"a guest", func(f *Facts) { f.Traces.Dom0 = false }, Missing, "missing dom0 this is a guest"},
		{"no xenfs", func(f *Facts) { f.Traces.Xenfs, f.Traces.Dom0 = false, false }, OK, "note dom0 /proc/xen/capabilities does not exist -> mount -t xenfs"},
		{"no xenstored", func(f *Facts) { f.Xenstore = "connection refused" }, Missing, "missing xenstore connection refused -> apt install xen-utils-common"},
		{"xenstored of root", func(f *Facts) { f.Root = false; f.Xenstore = "permission denied" }, Denied, "denied xenstore permission denied -> run it as root"},
		{"no list", func(f *Facts) { f.Problem = "timeout" }, Missing, "missing domains timeout"},
		{"well", func(*Facts) {}, OK, "ok control domctl 0x15, sysctl 0x15 (Xen 4.17), scheduler credit2: pausing and accounting of domains work"},
		{"another Xen", func(f *Facts) { f.Xen.Control = "version 0x19" }, OK, "note control calls work; pausing and accounting of domains, cache classes, and 'vlibmaster serve', do not: version 0x19 -> docs/reference/hosts.md"},
		{"no real-time threads", func(f *Facts) { f.Realtime = "EPERM" }, OK, "note realtime a process here may not have a real-time thread -> run it as root or with CAP_SYS_NICE"},
		{"no module", func(f *Facts) { f.Xen.Module = Module{Absent: true} }, OK, "note module absent: this Xen does not know the hypercall -> 'make hypervisor'"},
		{"another module", func(f *Facts) { f.Xen.Module = Module{Problem: "speaks version 9"} }, OK, "note module speaks version 9 -> 'make hypervisor'"},
		{"module, not root", func(f *Facts) { f.Xen.Module = Module{Problem: "EPERM", Denied: true} }, OK, "note module EPERM -> run it as root"},
		{"module", func(f *Facts) { f.Xen.Module = wellModule() }, OK,
			"ok module revision 3, interface version 1, drives CPUs: 2 (Dom0's among them), reservations: 4, uncore counters: none here, lease: none"},
		{"module beside credit2", func(f *Facts) { f.Xen.Module = wellModule(); f.Xen.Module.Host = false }, OK,
			"ok module revision 3, interface version 1, drives CPUs: 2 (Dom0 is under another scheduler), reservations"},
		{"module, lease", func(f *Facts) {
			f.Xen.Module = wellModule()
			f.Xen.Module.Lease, f.Xen.Module.LeasesLost = 1500*time.Millisecond, 2
		}, OK, "ok module revision 3, interface version 1, drives CPUs: 2 (Dom0's among them), reservations: 4, uncore counters: none here, lease: 1.5s left, lost: 2"},
		{"budgets that end late", func(f *Facts) {
			f.Xen.Module = wellModule()
			f.Xen.Module.Late, f.Xen.Module.Overruns = 60*time.Microsecond, []Overrun{{3, 90 * time.Microsecond}}
		}, OK, "note module a budget on CPU 3 ended 90µs late, and admission allows for 60µs -> boot Xen with timer_slop="},
		{"module, idle", func(f *Facts) { f.Xen.Module = wellModule(); f.Xen.Module.CPUs = 0 }, OK,
			"note module revision 3, interface version 1, but its scheduler has no CPU -> boot Xen with sched=vlib"},
		{"silent Xen", func(f *Facts) { f.Xen = XenFacts{Problem: "EPERM"} }, OK, "note xen Xen does not report its version: EPERM"},
		{"silent to users", func(f *Facts) { f.Root = false; f.Xen = XenFacts{Problem: "EACCES"} }, OK, "note xen Xen's version is not shown to this user"},
		{"cache", func(f *Facts) { f.Cache = Cache{Layout: "L3: 11 parts"} }, OK, "ok cache classes can be made of L3: 11 parts"},
		{"no cache", func(f *Facts) { f.Cache = Cache{None: true, Problem: "not here"} }, OK, "note cache not here -> only the tables [[cache]]"},
		{"no cache, native", func(f *Facts) { f.Host = directory.Native; f.Cache = Cache{None: true, Problem: "not here"} }, OK, "note cache not here -> only the"},
		{"cache, not root", func(f *Facts) { f.Cache = Cache{Problem: "EPERM"} }, OK, "note cache EPERM -> run it as root"},
		{"both problems", func(f *Facts) { f.Devices[0].Exists, f.Devices[1].Usable = false, false }, Missing, "denied device /dev/xen/evtchn"},

		{"xen was asked for", func(f *Facts) { f.Traces = directory.Traces{} }, Missing, "missing xen this machine does not run Xen -> apt install xen-system-amd64"},
		{"xen and its native directory", func(f *Facts) { f.Native.Exists = true }, OK, "note native /run/vlibos/native may not be read"},

		{"native", func(f *Facts) { f.Host, f.Traces = directory.Native, directory.Traces{} }, OK, "note xen this machine does not run Xen: no calls into guests -> apt install xen-system-amd64"},
		{"native on Xen", func(f *Facts) { f.Host = directory.Native }, OK, "note xen this system runs on Xen, but --host native has no calls"},
		{"no privcmd", func(f *Facts) { f.Host = directory.Native; f.Traces.Privcmd = false }, OK, "note xen this system runs on Xen, but there is no /dev/xen/privcmd -> modprobe xen-privcmd"},
		{"native, not ours", func(f *Facts) { f.Host = directory.Native; f.Native.Exists = true }, Denied, "denied native /run/vlibos/native may not be read"},
		{"native, empty", func(f *Facts) { f.Host = directory.Native; f.Native.Exists, f.Native.Usable = true, true }, OK, "note native native calls work here, but there is no domain -> vlib-server --transport native --name NAME"},
		{"native, idle", func(f *Facts) {
			f.Host = directory.Native
			f.Native = NativeFacts{Dir: "/x", Exists: true, Usable: true, Domains: []Domain{{ID: "web", Name: "web"}}}
		}, OK, "note domain web has no vLib OS server -> vlib-server --transport native --name web --native-dir /x"},
	} {
		f := wellDom0()
		tt.change(&f)
		findings := f.Findings()
		if v := Verdict(findings); v != tt.verdict {
			t.Errorf("%s: %s, want %s: %+v", tt.name, v, tt.verdict, findings)
		}
		if !found(findings, tt.want) {
			t.Errorf("%s: %+v\nwant %s", tt.name, findings, tt.want)
		}
	}
}

func found(findings []Finding, want string) bool {
	want, remedy, _ := strings.Cut(want, " -> ")
	level, rest, _ := strings.Cut(want, " ")
	name, text, _ := strings.Cut(rest, " ")
	for _, f := range findings {
		if f.Level == Level(level) && f.Name == name && strings.HasPrefix(f.Text, text) && strings.HasPrefix(f.Remedy, remedy) {
			return true
		}
	}
	return false
}

// The finding names the master that serves, or the one that would, or why it would
// refuse.
func TestMasterIsFoundOrPlanned(t *testing.T) {
	version := (&xenctl.VersionError{Interface: "domctl", Oldest: 0x15, Newest: 0x18, Xens: 0x19, Release: "4.23"}).Error()
	for _, tt := range []struct {
		name   string
		change func(*Facts)
		want   string
	}{
		{"serving", func(f *Facts) { f.Master = Master{Serves: "stock", Reservations: 3} }, "ok master a master serves this host as stock, 3 reservations"},
		{"not for this user", func(f *Facts) { f.Master.Problem = "control.sock: permission denied" }, "note master control.sock: permission denied -> run it as root"},
		{"module", func(f *Facts) { f.Xen.Module = wellModule() }, "note master no master serves this host; 'vlibmaster serve' would serve it as module -> systemctl start"},
		{"no module", func(f *Facts) { f.Xen.Module = Module{Absent: true} }, "note master no master serves this host; 'vlibmaster serve' would serve it as stock: the master keeps budgets, by weights"},
		{"no weights", func(f *Facts) { f.Xen.Module, f.Xen.Weights = Module{Absent: true}, false }, "note master no master serves this host; 'vlibmaster serve' would serve it as stock: the master keeps budgets, by pauses"},
		{"module beside credit2", func(f *Facts) { f.Xen.Module = wellModule(); f.Xen.Module.Host = false }, "note master no master serves this host; 'vlibmaster serve' would serve it as stock"},
		{"Xen 4.23", func(f *Facts) { f.Xen.Module, f.Xen.Control = Module{Absent: true}, version },
			"note master no master serves this host, and 'vlibmaster serve' would refuse it: " + version},
		{"another module", func(f *Facts) { f.Xen.Module = Module{Problem: "speaks version 9"} },
			"note master no master serves this host, and 'vlibmaster serve' would refuse it: speaks version 9"},
	} {
		f := wellDom0()
		tt.change(&f)
		f.Master.plan(&f)
		if findings := f.Findings(); !found(findings, tt.want) || Verdict(findings) != OK {
			t.Errorf("%s: %+v\nwant %s", tt.name, findings, tt.want)
		}
	}
}

func TestEveryProblemHasARemedy(t *testing.T) {
	f := wellDom0()
	f.Root, f.Traces.Dom0, f.Xenstore = false, false, "no"
	f.Devices[0].Exists, f.Devices[1].Usable = false, false
	for _, host := range []string{directory.Xen, directory.Native} {
		f.Host = host
		for _, finding := range f.Findings() {
			if finding.Level != OK && finding.Remedy == "" {
				t.Errorf("%+v", finding)
			}
		}
	}
}

func TestExamineListsNativeDomains(t *testing.T) {
	dir := t.TempDir()
	server, err := native.Listen(filepath.Join(dir, "web"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	dead, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(dir, "web", "5.sock"), Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	m := client.New(filepath.Join(dir, "control.sock"))
	defer m.Close()
	f := Examine(context.Background(), directory.Config{Host: directory.Native, NativeDir: dir}, m)
	if f.Master.Would != directory.Native || f.Master.Serves != "" || f.Master.Problem != "" {
		t.Errorf("%+v", f.Master)
	}
	if f.Host != directory.Native || f.Problem != "" || len(f.Devices) != len(devices) {
		t.Errorf("%+v", f)
	}
	for _, list := range [][]Domain{f.Domains, f.Native.Domains} {
		if len(list) != 1 || list[0].ID != "web" || len(list[0].Ports) != 1 || list[0].Ports[0] != 4 ||
			len(list[0].Left) != 1 || list[0].Left[0] != 5 {
			t.Errorf("%+v", list)
		}
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	f = Examine(context.Background(), directory.Config{Host: directory.Native, NativeDir: dir}, m)
	const want = "web has no vLib OS server: one left its socket on port 5, and nothing listens"
	if !slices.ContainsFunc(f.Findings(), func(f Finding) bool { return f.Level == Note && f.Text == want }) {
		t.Errorf("%+v, want %s", f.Findings(), want)
	}
}

func TestDevicesAreUsableIfTheyExist(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "dev/xen"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "dev/xen/evtchn"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range deviceFacts(root) {
		if is := d.Path == "/dev/xen/evtchn"; d.Exists != is || d.Usable != is {
			t.Errorf("%+v", d)
		}
	}
}
