// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
)

// Any file is a configuration that a master can use, or an error with a line of
// the file.
func FuzzConfiguration(f *testing.F) {
	f.Add(Example())
	f.Add(Installed())
	for _, text := range []string{
		"", "[[adopt]]\ndomain = 'a'\nbudget = '1ms'\nperiod = '1s'\n", "[[allow]]\nuser = 0\ndomain = 'a'\nlibrary = '*'\nfunction = ['a', 'b']\n",
		"[[domain]]\nname = 'a'\non_wedge = 'restart'\nrestart = ['x']\n", "[throttle]\ncpus = [1, 2]\nprobe_cpu = 0\n", "[[cache]]\nname = 'a'\nl3 = '5%'\ndomains = ['*']\n",
		"a.b.c = 1\n", "[adopt]\ndomain = 'a'\n", "adopt = 3\n", "[[allow]]\nuser = [[1]]\n", "\"\" = 1\n", "[metrics]\nlisten = '[::1]:1'\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, line, err := parse(text)
		if err != nil {
			if lines := strings.Count(text, "\n") + 1; line < 0 || line > lines || err.Error() == "" {
				t.Errorf("line %d of %d: %v", line, lines, err)
			}
			return
		}
		for _, w := range c.Adopt {
			if err := w.Validate(); err != nil || w.Domain.Name == "" || w.Domain.Name != host.Canonical(w.Domain.Name) {
				t.Errorf("%+v: %v", w, err)
			}
		}
		for _, r := range c.Allow {
			if (r.Budget == 0) != (r.Period == 0) || r.Timeout <= 0 || len(r.Functions) == 0 {
				t.Errorf("%+v", r)
			}
		}
		for _, class := range c.Cache {
			if err := class.Validate(); err != nil || len(class.Domains) == 0 {
				t.Errorf("%+v: %v", class, err)
			}
		}
		// The values that calibrate writes can be read again.
		set, err := SetThrottle(text, []Value{{"source", `"auto"`}, {"threshold_ns", "5.0"}})
		if err != nil {
			return // it reports that, and writes nothing
		}
		if again, _, err := parse(set); err != nil || again.Throttle == nil || len(again.Adopt) != len(c.Adopt) {
			t.Errorf("became %q: %v", set, errors.Join(err))
		}
	})
}
