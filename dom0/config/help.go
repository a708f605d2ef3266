// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/vlibcall"
)

// Key is one key that a file may have. The program's help, the manual page, the
// reference, the installed example and the errors about unknown keys are made of
// these.
type Key struct {
	Table   string // as it is written, for example "[[adopt]]"; empty: of no table
	Name    string
	Example string // as TOML; empty: not in the example
	Meaning string
	Values  string // that are allowed; empty: the meaning says it
	Default string // empty: the key is required, or means nothing if absent
}

// Text is all that there is to say about a key, in one line.
func (k Key) Text() string {
	text := k.Meaning
	if k.Values != "" {
		text += ": " + k.Values
	}
	if k.Default != "" {
		text += " (default: " + k.Default + ")"
	}
	return text
}

// The tables, as they are written.
const (
	adoptTable   = "[[adopt]]"
	metricsTable = "[metrics]"
	allowTable   = "[[allow]]"
	domainTable  = "[[domain]]"

	throttleTable = "[throttle]"
	cacheTable    = "[[cache]]"
	xapiTable     = "[xapi]"
)

// Values that more than one key allows.
var (
	budgets    = fmt.Sprintf("%v to the period", rtsched.MinBudget)
	periods    = fmt.Sprintf("%v to %v", rtsched.MinPeriod, rtsched.MaxPeriod)
	shares     = "1% to 100%"
	everything = fmt.Sprintf("names, or %q for all", policy.All)
)

// Keys are all that there are, in the order of the example.
var Keys = []Key{
	{"", "host", `"auto"`, "how budgets are enforced; --host has precedence", strings.Join(directory.Hosts, ", "), directory.Auto},

	{adoptTable, "domain", `"web"`, "name or UUID; the domain may come later", "", ""},
	{adoptTable, "budget", `"10ms"`, "CPU time that others cannot take", budgets, ""},
	{adoptTable, "period", `"100ms"`, "the budget is there once in every such time", periods, ""},
	{adoptTable, "vcpus", "", "number of vCPUs that have the budget each; a vCPU v has that of v modulo this", fmt.Sprintf("1 to %d, or \"all\"", rtsched.MaxServers), "1: all vCPUs share one"},
	{adoptTable, "device_model", "", "whether its device model and the threads of its back ends are charged to the budget, too", "true or false", "false"},
	{adoptTable, "class", `"batch"`, "batch gives up background time while memory is slow for others; critical does not", "", string(host.Batch)},

	{metricsTable, "listen", `"127.0.0.1:9477"`, "address for Prometheus", "IP address and port", "the control socket only"},

	{allowTable, "user", `"1000"`, "user that may call through the master: a name or a number; or group", "", ""},
	{allowTable, "group", "", "group that may call: a name or a number; or user", "", ""},
	{allowTable, "domain", `"web"`, "name or UUID of the domain that may be called", "", ""},
	{allowTable, "port", "", "number of the server in the domain", "", fmt.Sprint(vlibcall.DefaultPort)},
	{allowTable, "library", `"libz.so.1"`, "library that may be called", everything, ""},
	{allowTable, "function", `["crc32", "adler32"]`, "functions that may be called; vlib run only where library and function name it", everything, ""},
	{allowTable, "timeout", `"2s"`, "longest time of a call from its turn", fmt.Sprintf("up to %v", mostTimeout), defaultTimeout.String()},
	{allowTable, "budget", `"2ms"`, "of a reservation that these calls share; with period", budgets, "no reservation"},
	{allowTable, "period", `"20ms"`, "of that reservation; with budget", periods, "no reservation"},
	{allowTable, "vcpus", "", "number of the domain's vCPUs that have that budget each; a vCPU v has that of v modulo this", fmt.Sprintf("1 to %d", rtsched.MaxServers), "1: all vCPUs share one"},

	{domainTable, "name", `"web"`, "name or UUID of a domain that serves calls", "", ""},
	{domainTable, "listens", "", "whether its server listens by the module's hypercall", "true, false", "false"},
	{domainTable, "on_wedge", `"restart"`, "reaction to a server that hangs; restart runs the command of that key", report + ", " + restart, report},
	{domainTable, "restart", `["xl", "reboot", "-F", "web"]`, "command and arguments, without a shell; only with on_wedge = restart", "", ""},
	{domainTable, "wedged_after", "", "time after which a server counts as hung", fmt.Sprintf("%v to %v", leastWedged, mostWedged), policy.WedgedAfter.String()},

	{throttleTable, "source", `"probe"`, "source of memory latency; without the table nothing is throttled", strings.Join(Sources, ", "), Sources[0]},
	{throttleTable, "policy", `"threshold"`, "policy that decides how long CPUs idle", strings.Join(throttle.Policies, ", "), "threshold"},
	{throttleTable, "threshold_ns", "180", "latency above which memory is too slow; vlibmaster calibrate finds it", "", ""},
	{throttleTable, "most", "", "largest share of the time in which a CPU gives no background time", "", fmt.Sprint(throttle.DefaultMost)},
	{throttleTable, "budget_per_s", "", "for the policy rate: requests a second that each CPU may make", "", ""},
	{throttleTable, "period", `"10ms"`, "time between two decisions", fmt.Sprintf("%v to %v", minPeriod, maxPeriod), defaultPeriod.String()},
	{throttleTable, "cpus", "[1, 2, 3]", "CPUs to throttle", "", "all but probe_cpu"},
	{throttleTable, "probe_cpu", "0", "CPU of which the software probe may use a hundredth", "", ""},
	{throttleTable, "probe_mib", "", "buffer of the probe in MiB", fmt.Sprintf("up to %d", mostProbeMiB), "twice the last-level cache"},
	{throttleTable, "requests", "", "for the source requests: file in which a program counts its requests", "", ""},
	{throttleTable, "quantile", "", "for the source requests: quantile of the requests' times", "0 (the mean) to less than 1", "0"},

	{cacheTable, "name", `"wide"`, "name of the class", "letters, digits, - and _", ""},
	{cacheTable, "l3", `"60%"`, "share of the L3 cache; classes overlap if their shares exceed 100 %", shares, "unchanged"},
	{cacheTable, "l3_least", "", "what it keeps when ways move between the classes that have this key, by what they fill and miss", shares, "ways do not move"},
	{cacheTable, "l3_code", "", "share of the L3 cache for code (CDP); with l3_data, instead of l3", shares, "unchanged"},
	{cacheTable, "l3_data", "", "share of the L3 cache for data (CDP)", shares, "unchanged"},
	{cacheTable, "l2", "", "share of each L2 cache", shares, "unchanged"},
	{cacheTable, "mba", `"80%"`, "share of each CPU's memory bandwidth; rounded up to a step of the processor", shares, "unchanged"},
	{cacheTable, "domains", `["web"]`, fmt.Sprintf("names or UUIDs; %q: all that no class names, but control domains", Others), "", ""},
	{cacheTable, "follow_calls", "", "whether its domains have their caller's class while they serve a call on a reservation; host module", "true or false", "false"},

	{xapiTable, "enabled", "", "whether VMs' requests and names are taken from XAPI", "true, false", "true on a host that has XAPI"},
	{xapiTable, "refuse_starts", "true", "whether the hook vm-pre-start refuses a VM whose reservation would not fit", "true, false", "false"},
	{xapiTable, "address", "", "XAPI's socket, or https://HOST", "", xapi.DefaultSocket},
	{xapiTable, "certificate", "", "with https: file with the host's certificate or its authority's, as PEM", "", ""},
	{xapiTable, "login", "", "with https: file with two lines, a user and a password", "", ""},
}

// Example is a small file.
func Example() string {
	var b strings.Builder
	table := ""
	for _, k := range Keys {
		if k.Example == "" {
			continue
		}
		if k.Table != table {
			table = k.Table
			fmt.Fprintf(&b, "\n%s\n", table)
		}
		fmt.Fprintf(&b, "%-19s # %s\n", k.Name+" = "+k.Example, k.Text())
	}
	return b.String()
}

// Installed is the file that packages install: the example, switched off.
func Installed() string {
	var b strings.Builder
	b.WriteString("# The configuration of vlibmaster: see vlibmaster.toml(5). Take the '#' away from\n" +
		"# what you want, then: systemctl reload vlibmaster\n\n")
	for line := range strings.Lines(Example()) {
		if strings.TrimSpace(line) != "" {
			line = "#" + line
		}
		b.WriteString(line)
	}
	return b.String()
}

// known says which keys are possible where there is an unknown one.
func known(unknown []string) string {
	top, tables, in := []string{}, []string{}, []string{}
	for _, k := range Keys {
		switch {
		case k.Table == "":
			top = append(top, k.Name)
		case !slices.Contains(tables, k.Table):
			tables = append(tables, k.Table)
		}
		if k.Table != "" && len(unknown) > 1 && strings.Trim(k.Table, "[]") == unknown[0] {
			in = append(in, k.Name)
		}
	}
	if len(in) > 0 {
		return "want one of " + strings.Join(in, ", ")
	}
	return fmt.Sprintf("want %s, or one of the tables %s", strings.Join(top, ", "), strings.Join(tables, ", "))
}
