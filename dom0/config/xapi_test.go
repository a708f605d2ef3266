// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/rtsched"
)

func TestXAPIIsFollowedUnlessItIsSwitchedOff(t *testing.T) {
	for text, want := range map[string]XAPI{
		"":                               {},
		"[xapi]\nrefuse_starts = true\n": {RefuseStarts: true},
		"[xapi]\nenabled = false\n":      {Off: true},
		"[xapi]\nenabled = true\n":       {Enabled: true},
	} {
		want.Options.Originator = "vlibmaster"
		if c, err := load(t, text); err != nil || c.XAPI != want {
			t.Errorf("%q: %+v, %v", text, c.XAPI, err)
		}
	}
}

func TestXAPIByTLSNeedsACertificateAndALogin(t *testing.T) {
	login := filepath.Join(t.TempDir(), "login")
	if err := os.WriteFile(login, []byte("root\npass word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, fmt.Sprintf("[xapi]\naddress = \"https://host\"\ncertificate = \"/c.pem\"\nlogin = %q\n", login))
	if o := c.XAPI.Options; err != nil || o.User != "root" || o.Password != "pass word" || o.Certificate != "/c.pem" {
		t.Errorf("%+v, %v", o, err)
	}
	for text, says := range map[string]string{
		"[xapi]\naddress = \"https://host\"\n":       ":2: https needs certificate and login",
		"[xapi]\naddress = \"host\"\n":               ":2: address \"host\": want the path of a socket, or https://HOST",
		"[xapi]\nlogin = \"/nonexistent\"\n":         ":2: certificate and login are only used with",
		"[xapi]\nenabled = \"yes\"\n":                "line 2",
		"[xapi]\nrefuse_starts = true\nrefuse = 1\n": ":3: unknown key \"xapi.refuse\": want one of enabled, refuse_starts, address",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func TestTaskInTextIsCheckedAsInAFile(t *testing.T) {
	if task, err := Task("10ms", "0.1s"); err != nil || task != (rtsched.Task{Budget: 10 * time.Millisecond, Period: 100 * time.Millisecond}) {
		t.Errorf("%+v, %v", task, err)
	}
	for _, c := range []struct{ budget, period, says string }{
		{"10", "100ms", "budget: \"10\" is no time: write it as in \"10ms\""},
		{"10ms", "x", "period: \"x\" is no time"},
		{"", "100ms", "budget is missing"},
		{"10ms", "", "period is missing"},
		{"200ms", "100ms", "out of range"},
		{"-1ms", "100ms", "out of range"},
	} {
		if _, err := Task(c.budget, c.period); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q, %q: %v", c.budget, c.period, err)
		}
	}
}
