// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file)
}

func TestLoad(t *testing.T) {
	c, err := load(t, `# a host
host = "native"

[[adopt]]
domain = "web"
budget = "10ms"
period = "100ms"

[[adopt]]
period = "1s"
budget = "200us"
class = "critical"
domain = "8c1d0a3e-0b6c-4f5e-9a57-2f1f7d1f0b11"
`)
	if err != nil {
		t.Fatal(err)
	}
	web := host.Domain{Name: "web"}.On(rtsched.Task{Budget: 10 * time.Millisecond, Period: 100 * time.Millisecond})
	other := host.Domain{Name: "8c1d0a3e-0b6c-4f5e-9a57-2f1f7d1f0b11"}.On(rtsched.Task{Budget: 200 * time.Microsecond, Period: time.Second})
	web.Class, other.Class = host.Batch, host.Critical
	if c.Host != "native" || !reflect.DeepEqual(c.Adopt, []api.Reservation{{Reservation: web}, {Reservation: other}}) || len(c.Reservations()) != 2 {
		t.Errorf("%+v", c)
	}
	for text, want := range map[string]int{"4": 4, `"all"`: host.AllVCPUs} {
		c, err := load(t, "[[adopt]]\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\nvcpus = "+text)
		if err != nil || c.Adopt[0].Servers != want {
			t.Errorf("vcpus %s: %+v, %v", text, c, err)
		}
	}
	for _, text := range []string{"0", "-1", "129", `"some"`} {
		if c, err := load(t, "[[adopt]]\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\nvcpus = "+text); err == nil || !strings.Contains(err.Error(), ":5: ") {
			t.Errorf("vcpus %s: %+v, %v", text, c, err)
		}
	}
	if c, err := load(t, "[metrics]\nlisten = '127.0.0.1:9477'"); err != nil || c.MetricsListen != "127.0.0.1:9477" {
		t.Errorf("metrics: %+v, %v", c, err)
	}
	if c, err := load(t, "[[adopt]]\ndomain = 'a'\nbudget = '1ms'\nperiod = '0s'"); err == nil || !strings.Contains(err.Error(), "period 0s is out of range: 200µs to 10s") {
		t.Errorf("a period of nothing: %+v, %v", c, err)
	}
	if c, err := load(t, ""); c.MetricsListen != "" || err != nil || c.Host != "auto" {
		t.Errorf("an empty file: %+v, %v", c, err)
	}
}

// A UUID is the same domain in either case, in every table.
func TestUUIDIsTheSameInEitherCase(t *testing.T) {
	const lower, upper = "d3b07384-d9a0-4c9f-8b5e-0123456789ab", "D3B07384-D9A0-4C9F-8B5E-0123456789AB"
	c, err := load(t, strings.ReplaceAll(`
[[adopt]]
domain = "X"
budget = "10ms"
period = "100ms"
[[allow]]
user = 0
domain = "X"
library = "l"
function = "f"
[[domain]]
name = "X"
listens = true
[[cache]]
name = "wide"
l3 = "60%"
domains = ["X", "WEB"]
`, "X", upper))
	if err != nil || c.Adopt[0].Domain.Name != lower || c.Allow[0].Domain != lower || c.Domains[0].Domain != lower || c.Listens[0] != lower ||
		c.Cache[0].Domains[0] != lower || c.Cache[0].Domains[1] != "WEB" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, table := range []string{"adopt]]\nbudget = '1ms'\nperiod = '1s'\ndomain", "domain]]\nname"} {
		if _, err := load(t, "[["+table+" = '"+upper+"'\n[["+table+" = '"+lower+"'\n"); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", table, err)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		"host = 3":                        ":1: host \"3\"",
		"host = ['xen']":                  "",
		"host = 'kvm'":                    ":1: host \"kvm\": want one of auto, xen, module, stock, native",
		"\nplatfrom = 'xen'":              ":2: unknown key \"platfrom\": want host, or one of the tables [[adopt]], [metrics], [[allow]], [[domain]], [throttle], [[cache]]",
		"\n[masters]\nx = 1":              ":2: unknown key \"masters\"",
		"[[adopt]]\nbudget = 'x'":         ":2: \"x\" is no time",
		"[[adopt]]\nclass = 'fast'":       ":2: class \"fast\": no such class: want one of batch, critical",
		"[[adopt]]\nbudget = 7":           ":2: ",
		"a\nb":                            ":1: ",
		"[metrics]\n\nlisten = '9477'":    ":3: listen \"9477\": want an IP address and a port",
		"[metrics]\nlisten = 'host:9477'": ":2: listen \"host:9477\"",
		"[metrics]\nlisten = '0.0.0.0:0'": ":2: listen \"0.0.0.0:0\"",
		"[metrics]\nlisten = 9477":        ":2: ",
		"[metrics]\nlisten = ':9477'":     ":2: listen \":9477\"",
		"[metrics]\naddress = ':9477'":    ":2: unknown key \"metrics.address\"",
		"host = 'xen'\n\n[[adopt]] # ":    ":3: domain is missing",
		"[[adopt]]\ndomain = 'a'\nbudget = '2ms'\nperiod = '1ms'":                                     ":3: domain \"a\": budget 2ms is out of range",
		"[[adopt]]\ndomain = 'a'\nbudget = '0s'\nperiod = '1ms'":                                      "20µs to its period",
		"[[adopt]]\ndomain = 'a'\nbudget = '1ms'":                                                     ":3: domain \"a\": period is missing",
		"[[adopt]]\ndomain = 'a'\nbudget = '9223372036s'\nperiod = '9223372036s'":                     "out of range",
		"[[adopt]]\ndomain = 'a'\nbudget = '99999999999999999s'\nperiod = '1s'":                       ":3: ",
		"[[adopt]]\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\n[[adopt]]\ndomain = 'a'":             ":6: duplicate [[adopt]] for domain \"a\"",
		"[[adopt]]\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\nclasss = 'batch'":                    ":5: unknown key \"adopt.classs\": want one of domain, budget, period, vcpus, device_model, class",
		"[[adopt]]\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\n[[adopt]]\ndomain = 'b'\nbudget = 1": ":7: ",
	} {
		_, err := load(t, text)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
