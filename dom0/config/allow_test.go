// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLoadAllow(t *testing.T) {
	c, err := load(t, `
[[allow]]
user = "root"
domain = "web"
port = 7
library = "libz.so.1"
function = ["crc32", "adler32"]
timeout = "2s"
budget = "2ms"
period = "20ms"
vcpus = 2

[[allow]]
group = 65534
domain = "8c1d0a3e-0b6c-4f5e-9a57-2f1f7d1f0b11"
library = "*"
function = "*"

[[allow]]
user = "65534"
domain = "web"
library = "*"
function = "*"

[[domain]]
name = "web"
on_wedge = "restart"
restart = ["xl", "reboot", "-F", "web"]
wedged_after = "1m"
listens = true

[[domain]]
name = "db"
`)
	if err != nil {
		t.Fatal(err)
	}
	a, b, d := c.Allow[0], c.Allow[1], c.Allow[2]
	if a.Who != `user "root"` || a.ID != 0 || a.IsGroup || a.Domain != "web" || a.Port != 7 || a.Library != "libz.so.1" ||
		!slices.Equal(a.Functions, []string{"crc32", "adler32"}) || a.Timeout != 2*time.Second || a.Budget != 2*time.Millisecond || a.Period != 20*time.Millisecond {
		t.Errorf("%+v", a)
	}
	if r := c.Reservations(); len(r) != 1 || r[0].Number() != 2 || r[0].Share() != 0.2 {
		t.Errorf("%+v", r)
	}
	if b.ID != 65534 || !b.IsGroup || b.Port != 1 || !slices.Equal(b.Functions, []string{"*"}) || b.Timeout != 30*time.Second || b.Budget != 0 {
		t.Errorf("%+v", b)
	}
	if d.ID != 65534 || d.IsGroup || len(c.Allow) != 3 || b.Key() == d.Key() {
		t.Errorf("%+v", d)
	}
	web, db := c.Domains[0], c.Domains[1]
	if web.After != time.Minute || !slices.Equal(web.Restart, []string{"xl", "reboot", "-F", "web"}) || db.After != 10*time.Second || db.Restart != nil ||
		!slices.Equal(c.Listens, []string{"web"}) {
		t.Errorf("%+v", c)
	}
}

func TestAllowErrorsSayWhere(t *testing.T) {
	const rest = "domain = 'web'\nlibrary = '*'\nfunction = '*'\n"
	const good = "[[allow]]\nuser = 'root'\n" + rest
	for text, want := range map[string]string{
		good + "[[allow]]\n" + rest:                                              ":6: it needs one user or one group",
		"[[allow]]\nuser = 'root'\ngroup = 'root'\n" + rest:                      ":2: it needs one user or one group",
		"[[allow]]\nuser = ['root', 'nobody']\n" + rest:                          ":2: it needs one user or one group",
		"[[allow]]\nuser = 1.5\n" + rest:                                         ":2: 1.5 is neither text nor a number",
		"[[allow]]\nuser = 'no-such-user'\n" + rest:                              ":2: user: unknown user no-such-user: name a user of this machine or a number",
		"[[allow]]\ngroup = 'no-such-group'\n" + rest:                            ":2: group: unknown group no-such-group: name a group of this machine or a number",
		"[[allow]]\nuser = -1\n" + rest:                                          ":2: user: unknown user -1",
		"[[allow]]\nuser = 4294967296\n" + rest:                                  "unknown user",
		"[[allow]]\nuser = 0\ndomain = '../x'\n":                                 ":3: domain \"../x\": its sockets",
		"[[allow]]\nuser = 0\n":                                                  ":1: domain is missing",
		"[[allow]]\nuser = 0\ndomain = 'x'\nlibrary = 'y'":                       ":1: library and function are needed",
		"[[allow]]\nuser = 0\ndomain = 'x'\nlibrary = 'y'\nfunction = ['a', '']": "\"\" cannot be called",
		"[[allow]]\nuser = 0\nport = -1\n" + rest:                                ":3: ",
		good + "timeout = '-1s'":                                                 ":6: timeout -1s is out of range",
		good + "timeout = '2h'":                                                  "out of range: up to 1h",
		good + "budget = '1ms'":                                                  ":6: period is missing",
		good + "period = '1ms'":                                                  ":6: budget is missing",
		good + "vcpus = 2":                                                       ":6: budget is missing",
		good + "budget = '1ms'\nperiod = '9ms'\nvcpus = 'all'":                   ":8: vcpus = \"all\" is only possible in [[adopt]]",
		good + "budget = '1ms'\nperiod = '9ms'\nvcpus = 129":                     ":8: \"129\" vCPUs are out of range",
		good + "budgte = '1ms'":                                                  ":6: unknown key \"allow.budgte\"",
		good + good:                                                              ":6: duplicate rule",
		"[[domain]]\non_wedge = 'report'":                                        ":1: name is missing",
		"[[domain]]\nname = 'a'\n[[domain]]\nname = 'a'":                         ":4: duplicate [[domain]] \"a\"",
		"[[domain]]\nname = 'a'\non_wedge = 'panic'":                             ":3: domain \"a\": on_wedge \"panic\": want one of report, restart",
		"[[domain]]\nname = 'a'\non_wedge = 'restart'":                           "restart is missing",
		"[[domain]]\nname = 'a'\nrestart = ['x']":                                "only used with on_wedge",
		"[[domain]]\nname = 'a'\nrestart = 'xl reboot'":                          ":3: ",
		"[[domain]]\nname = 'a'\nwedged_after = '1ms'":                           "out of range: 1s to 1h",
	} {
		_, err := load(t, text)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
