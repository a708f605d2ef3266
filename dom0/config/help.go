// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/vlibcall"
)

// Key is one key that a file may have. The program's help, the manual page, the
// example that is installed and the errors about unknown keys are made of these.
type Key struct {
	Table   string // as it is written, for example "[[adopt]]"; empty: of no table
	Name    string
	Example string // as TOML; empty: not in the example
	Meaning string
}

// The tables, as they are written.
const (
	adoptTable   = "[[adopt]]"
	metricsTable = "[metrics]"
	allowTable   = "[[allow]]"
	domainTable  = "[[domain]]"

	throttleTable = "[throttle]"
	cacheTable    = "[[cache]]"
)

// Keys are all that there are, in the order of the example.
var Keys = []Key{
	{"", "host", `"auto"`, "one of " + strings.Join(directory.Hosts, ", ") + "; --host comes first"},

	{adoptTable, "domain", `"web"`, "name or UUID, whether or not it is there yet"},
	{adoptTable, "budget", `"10ms"`, "time on a CPU that the domain has for sure"},
	{adoptTable, "period", `"100ms"`, "in every such time"},
	{adoptTable, "class", `"batch"`, "gives up background time when memory is slow for others; critical does not"},

	{metricsTable, "listen", `"127.0.0.1:9477"`, "address for Prometheus; without it: the control socket alone"},

	{allowTable, "user", `"1000"`, "who may call by the master's sockets: a name or a number; or group"},
	{allowTable, "group", "", "a name or a number, instead of user"},
	{allowTable, "domain", `"web"`, "name or UUID of the domain that may be called"},
	{allowTable, "port", "", fmt.Sprintf("number of the server in it; %d if not given", vlibcall.DefaultPort)},
	{allowTable, "library", `"libz.so.1"`, fmt.Sprintf("%q for all", policy.All)},
	{allowTable, "function", `["crc32", "adler32"]`, fmt.Sprintf("%q for all; vlib run, which runs commands, is allowed where library and function name it", policy.All)},
	{allowTable, "timeout", `"2s"`, fmt.Sprintf("how long a call may take, up to %v; %v if not given", mostTimeout, defaultTimeout)},
	{allowTable, "budget", `"2ms"`, "of the reservation that pays for these calls"},
	{allowTable, "period", `"20ms"`, "of that; neither of the two: nobody pays"},

	{domainTable, "name", `"web"`, "name or UUID of a domain whose vLib OS may hang"},
	{domainTable, "listens", "", "true if its server listens by the module's hypercall"},
	{domainTable, "on_wedge", `"restart"`, fmt.Sprintf("%s, or %s: then by the command restart", report, restart)},
	{domainTable, "restart", `["xl", "reboot", "-F", "web"]`, "the command and its arguments, without a shell"},
	{domainTable, "wedged_after", "", fmt.Sprintf("how long a server must hang: %v to %v; %v if not given", leastWedged, mostWedged, policy.WedgedAfter)},

	{throttleTable, "source", `"probe"`, "of memory latency: one of " + strings.Join(Sources, ", ") + "; auto if not given. Without the table nothing is throttled"},
	{throttleTable, "policy", `"threshold"`, "who decides: one of " + strings.Join(throttle.Policies, ", ") + "; threshold if not given"},
	{throttleTable, "threshold_ns", "180", "latency above which memory is too slow: vlibmaster calibrate finds it"},
	{throttleTable, "most", "", fmt.Sprintf("largest share of the time in which a CPU gives no background time; %v if not given", throttle.DefaultMost)},
	{throttleTable, "budget_per_s", "", "of the policy rate: requests a second that each CPU may make"},
	{throttleTable, "period", `"10ms"`, fmt.Sprintf("of decisions, %v to %v; %v if not given", minPeriod, maxPeriod, defaultPeriod)},
	{throttleTable, "cpus", "[1, 2, 3]", "to throttle; all but probe_cpu if not given"},
	{throttleTable, "probe_cpu", "0", "CPU of which the software probe may use a hundredth"},
	{throttleTable, "probe_mib", "", "buffer of the probe; 0: twice the last-level cache"},
	{throttleTable, "tally", "", "of the source tally: the file in which a program counts its requests"},
	{throttleTable, "quantile", "", "of the source tally: 0 for the mean of the requests' times, or less than 1"},

	{cacheTable, "name", `"wide"`, "of a class of cache and memory bandwidth that its domains share: letters, digits, - and _"},
	{cacheTable, "l3", `"60%"`, "of the L3 cache; classes have parts of their own if all add up to 100 or less, else they overlap"},
	{cacheTable, "l3_code", "", "of the L3 cache for code, where code and data are apart (CDP); instead of l3, with l3_data"},
	{cacheTable, "l3_data", "", "of the L3 cache for data"},
	{cacheTable, "l2", "", "of each L2 cache"},
	{cacheTable, "mba", `"80%"`, "of the memory bandwidth of each CPU; rounded up to what the processor has"},
	{cacheTable, "domains", `["web"]`, fmt.Sprintf("names or UUIDs; %q: all that no class names, but control domains", Others)},
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
		fmt.Fprintf(&b, "%-19s # %s\n", k.Name+" = "+k.Example, k.Meaning)
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

// known says which keys there are, for an error.
func known() string {
	text, table := "there are", ""
	for i, k := range Keys {
		switch {
		case k.Table != table:
			table = k.Table
			text += "; in " + table + ": " + k.Name
		case i == 0:
			text += " " + k.Name
		default:
			text += ", " + k.Name
		}
	}
	return text
}
