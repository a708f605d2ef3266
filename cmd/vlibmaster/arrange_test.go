// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func arranged(t interface{ Fatal(...any) }, line ...string) []string {
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	app.Setup()
	out, err := arrange(app, append([]string{"vlibmaster"}, line...))
	if err != nil {
		t.Fatal(err)
	}
	return out[1:]
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"", ""},
		{"version", "version"},
		{"help call", "help -- call"},
		{"call d l f", "call -- d l f"},
		{"call d l f --sig s 0.5", "call --sig=s -- d l f 0.5"},
		{"call d --sig=s l f -0.5", "call --sig=s -- d l f -0.5"},
		{"call -sig s d l f -1", "call --sig=s -- d l f -1"},
		{"call d l f -1e-3 -.5 -inf -Infinity -nan -0x1F -0x1p-2", "call -- d l f -1e-3 -.5 -inf -Infinity -nan -0x1F -0x1p-2"},
		{"call d l f -99999999999999999999", "call -- d l f -99999999999999999999"},
		{"call d l f - @-", "call -- d l f - @-"},
		{"call d l f -- --json -x --", "call -- d l f --json -x --"},
		{"call -- d l f --json", "call -- d l f --json"},
		{"call d --json l --timeout -1s f", "call --json --timeout=-1s -- d l f"},
		{"call d l f --sig -1", "call --sig=-1 -- d l f"},
		{"call --out a d l f --out b", "call --out=a --out=b -- d l f"},
		{"call d vlib run -i sort", "call -i -- d vlib run sort"},
		{"call --sig= d l f", "call --sig= -- d l f"},
		{"call d l f --host native --native-dir=/x", "--host=native --native-dir=/x call -- d l f"},
		{"--host native call d l f", "--host=native call -- d l f"},
		{"services d --json --port 3", "services --json --port=3 -- d"},
		{"doctor -h", "doctor -h"},
		{"call --help", "call --help"},
		{"--help", "--help"},
		// Help is of the command, whatever else the line says, or lacks.
		{"bench tail --help", "bench --help"},
		{"adopt web --budget 1ms --help", "adopt --help"},
		{"cgroup run x --help", "cgroup run --help"},
		// What belongs to a command below another stands behind that.
		{"cgroup run x -- id -u", "cgroup run -- x id -u"},
		{"cgroup remove x", "cgroup remove -- x"},
		{"cgroup", "cgroup"},
		{"call d vlib run -- vlibmaster --help", "call -- d vlib run vlibmaster --help"},
	} {
		got := strings.Join(arranged(t, strings.Fields(tt.line)...), " ")
		if got != tt.want {
			t.Errorf("%s\nbecame %s\nwant   %s", tt.line, got, tt.want)
		}
	}
}

func TestArrangeRefuses(t *testing.T) {
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	app.Setup()
	for _, tt := range []struct{ line, want string }{
		{"frob", `no command "frob"`},
		{"-1", `no flag "-1"`},
		{"--json call", `no flag "--json"`},
		{"-- call", `no flag "--"`},
		{"call d l f --frob", "write --"},
		{"call d l f -x", "write --"},
		{"call d l f --1", "write --"},
		{"call d l f -e", "write --"},
		{"call d l f --sig", "needs a value"},
		{"adopt web --budget 1ms", "adopt needs --period: add --period TIME (in every such TIME, for example 100ms)"},
		{"adopt web", "adopt needs --budget and --period: add --budget TIME"},
		{"run -- true", "run needs --budget and --period"},
		{"adopt web --budget 1ms --period 9ms --budget=2ms", "flag --budget is given twice"},
		{"--host xen ps --host native", "flag --host is given twice"},
		{"calibrate", "calibrate needs --load-cpus: add --load-cpus CPUS"},
		{"cgroup drop x", `cgroup has no command "drop": see vlibmaster cgroup --help`},
		{"cgroup run x id -u", `no flag "-u": see vlibmaster cgroup run --help, or write --`},
		{"call d l f --repeat many", `--repeat "many": want a whole number`},
		{"services d --port -1", `--port "-1": want a whole number, 0 or more`},
	} {
		_, err := arrange(app, append([]string{"vlibmaster"}, strings.Fields(tt.line)...))
		if err == nil || !strings.Contains(err.Error(), tt.want) || exitCode(err) != exitUsage.code {
			t.Errorf("%s: %v, want …%s…", tt.line, err, tt.want)
		}
	}
}

// Wherever a flag stands, the words keep their order and the flag its value.
func TestArrangeKeepsWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z0-9@(),.]{1,6}|-[0-9]{1,4}`), 0, 6).Draw(t, "words")
		at := rapid.IntRange(0, len(words)).Draw(t, "at")
		value := rapid.String().Draw(t, "value")
		line := slices.Concat([]string{"call"}, words[:at], []string{"--sig", value, "--json"}, words[at:])
		want := []string{"call", "--sig=" + value, "--json"}
		if len(words) > 0 {
			want = append(append(want, "--"), words...)
		}
		if got := arranged(t, line...); !slices.Equal(got, want) {
			t.Fatalf("%q became %q, want %q", line, got, want)
		}
	})
}
