// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"strings"
	"testing"
)

// wrong is a table of each kind, with every value of which something can be wrong
// besides its type. One line at a time replaces the table's line of that key, or is
// added to it.
var wrong = []struct {
	table string // of which there may be others before, or none
	right string
	lines []string
}{
	{"", "", []string{"host = 'kvm'", "hots = 'xen'"}},
	{"[metrics]", "listen = '127.0.0.1:9477'", []string{"listen = 'x'", "lisen = 'x'"}},
	{"[[adopt]]", "domain = 'N'\nbudget = '1ms'\nperiod = '10ms'\nclass = 'batch'", []string{
		"domain = ''", "domain = 'before'", "budget = '-10ms'", "budget = '11ms'", "period = '1ns'", "period = '100h'", "class = 'fast'", "clas = 'batch'",
	}},
	{"[[allow]]", "user = 0\ndomain = 'N'\nlibrary = 'l'\nfunction = ['f']\ntimeout = '1s'\nbudget = '1ms'\nperiod = '10ms'", []string{
		"user = 'no-such-user'", "user = [0, 1]", "domain = '../x'", "library = ''", "function = []", "function = ['']", "timeout = '2h'",
		"budget = '11ms'", "period = '1ns'", "libary = 'l'",
	}},
	{"[[domain]]", "name = 'N'\non_wedge = 'restart'\nrestart = ['x']\nwedged_after = '10s'", []string{
		"name = ''", "name = 'before'", "on_wedge = 'panic'", "restart = []", "restart = ['']", "wedged_after = '1ms'", "nam = 'x'",
	}},
	{"[throttle]", "source = 'probe'\npolicy = 'threshold'\nthreshold_ns = 9\nmost = 0.5\nperiod = '10ms'\ncpus = [1]\nprobe_cpu = 0\nprobe_mib = 1\nquantile = 0", []string{
		"source = 'pmu'", "source = 'requests'", "policy = 'paper'", "threshold_ns = 0", "most = 2", "period = '1h'", "cpus = [-1]", "probe_cpu = -1",
		"probe_mib = -1", "quantile = 1", "sorce = 'probe'",
	}},
	{"[throttle]", "policy = 'rate'\nbudget_per_s = 1", []string{"budget_per_s = -1"}},
	{"[[cache]]", "name = 'N'\nl3_code = '1%'\nl3_data = '1%'\ndomains = ['N']", []string{
		"name = '../a'", "name = 'before'", "domains = []", "domains = ['']", "domains = ['before']", "domain = ['x']",
	}},
}

// Whatever is wrong with a value, the error has the line of its key, whatever tables
// are before it and however the table is written.
func TestErrorHasTheLineOfItsKey(t *testing.T) {
	const before = "[[adopt]]\ndomain = 'before'\nbudget = '1ms'\nperiod = '10ms'\n" +
		"[[allow]]\nuser = 0\ndomain = 'before'\nlibrary = 'l'\nfunction = 'f'\n" +
		"[[domain]]\nname = 'before'\n[[cache]]\nname = 'before'\nl3 = '1%'\ndomains = ['before']\n"
	for _, w := range wrong {
		for _, bad := range w.lines {
			key, _, _ := strings.Cut(bad, " ")
			var body, inline []string
			found := false
			for line := range strings.Lines(w.right) {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, key+" ") {
					line, found = bad+" # here", true
				}
				body = append(body, line)
			}
			if !found {
				body = append(body, bad+" # here")
			}
			for _, line := range body {
				inline = append(inline, strings.TrimSuffix(line, " # here"))
			}
			table := strings.Trim(w.table, "[]")
			texts := []string{before + w.table + "\n" + strings.Join(body, "\n")}
			if w.table == "" {
				texts = []string{strings.Join(body, "\n") + "\n" + before}
			}
			if !strings.HasPrefix(w.table, "[[") && table != "" {
				texts = append(texts,
					"\n"+table+"."+strings.Join(body, "\n"+table+".")+"\n"+before,
					"host = 'xen'\n"+table+" = { "+strings.Join(inline, ", ")+" } # here\n"+before)
			}
			for _, text := range texts {
				head, _, _ := strings.Cut(text, "# here")
				_, err := load(t, text)
				var e *Error
				if want := strings.Count(head, "\n") + 1; !errors.As(err, &e) || e.Line != want {
					t.Errorf("%s: %v, want line %d of\n%s", bad, err, want, text)
				}
			}
		}
	}
}

// An unknown key's error names the keys of its table alone.
func TestUnknownKeyNamesTheKeysOfItsTable(t *testing.T) {
	for _, k := range Keys {
		text := "x_y = 1"
		if k.Table != "" {
			text = k.Table + "\nx_y = 1"
		}
		_, err := load(t, text)
		for _, other := range Keys {
			listed := err != nil && strings.Contains(strings.ReplaceAll(err.Error(), ",", " ")+" ", " "+other.Name+" ")
			if same := other.Table == k.Table; same && !listed || listed && !same && k.Table != "" && !sameName(k.Table, other.Name) {
				t.Errorf("%s: %v, %s %s", text, err, other.Table, other.Name)
			}
		}
	}
}

// sameName reports whether a table has a key of that name.
func sameName(table, name string) bool {
	for _, k := range Keys {
		if k.Table == table && k.Name == name {
			return true
		}
	}
	return false
}
