// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host/keeper"
)

// Level is the severity of a finding.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Note    Level = "note"    // calls work without it
	Missing Level = "missing" // calls do not work without it
	Denied  Level = "denied"  // calls do not work for this user
)

// Finding is the judgement of one fact.
type Finding struct {
	Level  Level  `json:"level"`
	Name   string `json:"name"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"` // what to type or do
}

// The remedies name Debian's packages and commands.
const (
	remedyXen      = "apt install xen-system-amd64, then reboot into the boot menu's entry 'with Xen hypervisor'"
	remedyXenfs    = "mount -t xenfs xenfs /proc/xen"
	remedyXenstore = "apt install xen-utils-common && systemctl start xen.service"
	remedyRoot     = "run it as root in Dom0: sudo vlibmaster …"
	remedyVersion  = "docs/reference/hosts.md has the table of Xen's releases; a release that is newer than the table needs a newer vlibmaster"
	remedyServer   = "in a guest, as root: modprobe -a xen-gntalloc xen-evtchn && vlib-server"
	remedyDomain   = "xl create GUEST.cfg, and start vlib-server in the guest"
	remedyLab      = "'vliblab run -- CMD' runs real Xen in an emulator, on any machine"
)

// Findings judges the facts of the host that calls use, and then mentions the other
// host.
func (f Facts) Findings() []Finding {
	if f.Host == directory.Xen {
		return slices.Concat(f.xen(), f.Master.findings(f.Xen), f.realtime(), f.native(Note))
	}
	return slices.Concat([]Finding{f.otherXen()}, f.Cache.findings(), f.Master.findings(f.Xen), f.realtime(), f.native(Missing))
}

// realtime reports what a master would lack without a real-time thread. It is silent
// for other users than root, because they start no master.
func (f Facts) realtime() []Finding {
	if f.Realtime == "" || !f.Root {
		return nil
	}
	return []Finding{{Note, "realtime", "a process here may not have a real-time thread: budgets that the master keeps end late, and Dom0's threads get none: " + f.Realtime, keeper.Remedy}}
}

// Verdict is the worst level of the findings: OK, Missing or Denied. A host without a
// server to call can still be OK.
func Verdict(findings []Finding) Level {
	worst := OK
	for _, f := range findings {
		if f.Level == Missing || f.Level == Denied && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

// otherXen reports what the native host leaves out.
func (f Facts) otherXen() Finding {
	switch {
	case f.Traces.Running() && !f.Traces.Privcmd:
		return Finding{Note, "xen", "this system runs on Xen, but there is no /dev/xen/privcmd: no calls into guests", modprobe("xen-privcmd")}
	case f.Traces.Running():
		return Finding{Note, "xen", "this system runs on Xen, but --host native has no calls into guests", "leave out --host native"}
	}
	return Finding{Note, "xen", "this machine does not run Xen: no calls into guests, only into native domains", remedyXen + "; " + remedyLab}
}

func (f Facts) xen() []Finding {
	if !f.Traces.Running() {
		return []Finding{{Missing, "xen", "this machine does not run Xen", remedyXen + "; " + remedyLab}}
	}
	var list []Finding
	switch {
	case f.Xen.Version != "":
		list = append(list, Finding{OK, "xen", "Xen " + f.Xen.Version + ", " + strings.Join(f.Xen.Capabilities, " "), ""})
	case f.Root:
		list = append(list, Finding{Note, "xen", "Xen does not report its version: " + f.Xen.Problem, modprobe("xen-privcmd")})
	default:
		list = append(list, Finding{Note, "xen", "Xen's version is not shown to this user: " + f.Xen.Problem, remedyRoot})
	}
	switch {
	case f.Traces.Dom0:
		list = append(list, Finding{OK, "dom0", "this is the control domain", ""})
	case f.Traces.Xenfs:
		list = append(list, Finding{Missing, "dom0", "this is a guest, and calls start in Dom0", "run vlibmaster in Dom0"})
	default:
		list = append(list, Finding{Note, "dom0", "/proc/xen/capabilities does not exist, so this may be Dom0 or a guest", remedyXenfs})
	}
	for _, d := range f.Devices {
		list = append(list, d.finding())
	}
	switch {
	case f.Xenstore == "":
		list = append(list, Finding{OK, "xenstore", "xenstored answers", ""})
	case !f.Root:
		list = append(list, Finding{Denied, "xenstore", f.Xenstore, remedyRoot})
	default:
		list = append(list, Finding{Missing, "xenstore", f.Xenstore, remedyXenstore})
	}
	switch {
	case f.Xen.Control != "":
		list = append(list, Finding{Note, "control", "calls work; pausing and accounting of domains, cache classes, and 'vlibmaster serve', do not: " + f.Xen.Control, remedyVersion})
	case f.Xen.Interfaces != "":
		list = append(list, Finding{OK, "control", f.Xen.Interfaces + ", scheduler " + f.Xen.Scheduler + ": pausing and accounting of domains work", ""})
	}
	list = append(list, f.Xen.Module.findings()...)
	list = append(list, f.Cache.findings()...)
	return append(list, f.servers()...)
}

func modprobe(module string) string {
	return fmt.Sprintf("modprobe %s (permanently: echo %s >>/etc/modules-load.d/xen.conf)", module, module)
}

func (d Device) finding() Finding {
	switch {
	case !d.Exists:
		return Finding{Missing, "device", d.Path + " does not exist", modprobe(d.Module)}
	case !d.Usable:
		return Finding{Denied, "device", d.Path + " may not be opened by this user", remedyRoot}
	}
	return Finding{OK, "device", d.Path, ""}
}

// servers reports the guests. It is silent if the finding of xenstore says why.
func (f Facts) servers() []Finding {
	if f.Xenstore != "" {
		return nil
	}
	if f.Problem != "" {
		level, remedy := Missing, remedyXenstore
		if !f.Root || !f.Traces.Dom0 {
			level, remedy = Denied, remedyRoot
		}
		return []Finding{{level, "domains", f.Problem, remedy}}
	}
	var list []Finding
	for _, d := range f.Domains {
		if d.ID != "0" {
			list = append(list, d.finding(remedyServer))
		}
	}
	if len(list) == 0 {
		list = append(list, Finding{Note, "domains", "there is no guest", remedyDomain})
	}
	return list
}

// finding reports whether a domain has a server.
func (d Domain) finding(remedy string) Finding {
	name := d.ID
	if d.Name != "" && d.Name != d.ID {
		name += fmt.Sprintf(" (%s)", d.Name)
	}
	if len(d.Ports) == 0 && len(d.Left) > 0 {
		left := strings.Trim(fmt.Sprint(d.Left), "[]")
		return Finding{Note, "domain", name + " has no vLib OS server: one left its socket on port " + left + ", and nothing listens", remedy}
	}
	if len(d.Ports) == 0 {
		return Finding{Note, "domain", name + " has no vLib OS server", remedy}
	}
	ports := strings.Trim(fmt.Sprint(d.Ports), "[]")
	return Finding{OK, "domain", name + " has a vLib OS server on port " + ports, ""}
}

// native reports what works without Xen. unusable is the level of a directory that
// cannot be used.
func (f Facts) native(unusable Level) []Finding {
	n := f.Native
	remedy := directory.NativeServer(n.Dir, "NAME")
	switch {
	case !n.Exists:
		return []Finding{{Note, "native", "native calls work here, but no native domain was started: there is no " + n.Dir, remedy}}
	case !n.Usable:
		if unusable == Missing {
			unusable = Denied
		}
		return []Finding{{unusable, "native", n.Dir + " may not be read by this user", "run it as the user who started the servers, or as root"}}
	case len(n.Domains) == 0:
		return []Finding{{Note, "native", "native calls work here, but there is no domain in " + n.Dir, remedy}}
	}
	list := []Finding{{OK, "native", "native calls work here, domains are in " + n.Dir, ""}}
	for _, d := range n.Domains {
		list = append(list, d.finding(directory.NativeServer(n.Dir, d.ID)))
	}
	return list
}
