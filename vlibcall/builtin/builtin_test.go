// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func frame(header, rest string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(header)))
	return append(append(b, header...), rest...)
}

func TestCommandIsDecodedAsEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[^\x00]{1,9}`)
		want := Command{
			Argv:    rapid.SliceOfN(text, 1, 4).Draw(t, "argv"),
			Env:     rapid.SliceOfN(rapid.StringMatching(`[^\x00=]{1,4}=[^\x00]{0,4}`), 1, 3).Draw(t, "env"),
			Timeout: time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "ms")) * time.Millisecond,
			Stdin:   rapid.SliceOf(rapid.Byte()).Draw(t, "stdin"),
		}
		b, err := want.Append([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		var got Command
		if err := got.Decode(b[len("before"):]); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

func TestTimeoutIsNotRoundedToNone(t *testing.T) {
	b, err := (&Command{Argv: []string{"true"}, Timeout: 1}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got Command
	if err := got.Decode(b); err != nil || got.Timeout != time.Millisecond {
		t.Errorf("%v, %v", got.Timeout, err)
	}
}

func TestInvalidCommandsAreRefused(t *testing.T) {
	for _, c := range []Command{
		{},
		{Argv: []string{""}},
		{Argv: []string{"a", "b\x00"}},
		{Argv: []string{"a", "\xff"}},
		{Argv: []string{"a"}, Env: []string{"novalue"}},
		{Argv: []string{"a"}, Env: []string{"=x"}},
		{Argv: []string{"a"}, Timeout: -1},
		{Argv: []string{"a", strings.Repeat("x", maxHeader)}},
	} {
		if _, err := c.Append(nil); err == nil {
			t.Errorf("%.80q was encoded", c.Argv)
		}
	}
	for _, tt := range []struct{ input, want string }{
		{"", "length of the header"},
		{"\xff\xff\xff\xff{}", "header of 4294967295"},
		{"\x03\x00\x00\x00{}", "header of 3"},
		{string(frame("\xff", "")), "not UTF-8"},
		{string(frame("{}", "")), "needs a program"},
		{string(frame(`{"argv":["a"],"user":"root"}`, "")), `unknown field "user"`},
		{string(frame(`{"argv":["a"]}{}`, "")), "more than one"},
		{string(frame(`{"argv":["a\u0000"]}`, "")), "without NUL"},
		{string(frame(`{"argv":["a"],"timeout_ms":-1}`, "")), "out of range"},
		{string(frame(`{"argv":["a"],"timeout_ms":9223372036854775807}`, "")), "out of range"},
	} {
		err := new(Command).Decode([]byte(tt.input))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want …%s…", tt.input, err, tt.want)
		}
	}
}

func TestOutcomeIsDecodedAsEncoded(t *testing.T) {
	for _, want := range []Outcome{
		{Stdout: []byte{}, Stderr: []byte{}},
		{ExitStatus: 255, Stdout: []byte("a"), Stderr: []byte("\xff\x00")},
		{Signal: 64, TimedOut: true, Stdout: []byte("a"), Stderr: []byte{}, StdoutTruncated: true, StderrTruncated: true},
	} {
		b, err := want.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if extra := len(b) - len(want.Stdout) - len(want.Stderr); extra > MaxOutcomeOverhead {
			t.Errorf("%d bytes beside the output", extra)
		}
		var got Outcome
		if err := got.Decode(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	if s := (&Outcome{ExitStatus: 3}).ShellStatus(); s != 3 {
		t.Error(s)
	}
	if s := (&Outcome{Signal: 9}).ShellStatus(); s != 137 {
		t.Error(s)
	}
}

func TestInvalidOutcomesAreRefused(t *testing.T) {
	for _, tt := range []struct{ header, rest, want string }{
		{`{"exit_status":256}`, "", "exit status 256"},
		{`{"exit_status":-1}`, "", "exit status -1"},
		{`{"signal":128}`, "", "signal 128"},
		{`{"stdout":2,"stderr":0}`, "a", "2 and 0 bytes"},
		{`{"stdout":-1,"stderr":2}`, "a", "-1 and 2 bytes"},
		{`{"stdout":0,"stderr":0}`, "a", "0 and 0 bytes"},
		{`[]`, "", "cannot unmarshal"},
	} {
		err := new(Outcome).Decode(frame(tt.header, tt.rest))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want …%s…", tt.header, err, tt.want)
		}
	}
}

func TestInfoIsPrintable(t *testing.T) {
	var i Info
	err := i.Decode([]byte(`{"name":"a\u001b[2J","transports":["\u0007"],"functions":[{"library":"\u009b","function":"ok"}],"later":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if i.Name != "a\ufffd[2J" || i.Offered[0] != "\ufffd" || i.Functions[0] != (Function{"\ufffd", "ok"}) {
		t.Errorf("%+q", i.Name)
	}
	if err := i.Decode(make([]byte, maxInfo+1)); err == nil {
		t.Error("more than the limit was read")
	}
}

// A command that was decoded from hostile bytes is encoded to the same bytes again.
func FuzzCommand(f *testing.F) {
	f.Add(frame(`{"argv":["cat"],"env":["A=b"],"timeout_ms":5}`, "input"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again Command
		if c.Decode(b) != nil {
			return
		}
		out, err := c.Append(nil)
		if err != nil {
			return // escapes can make a header longer than the limit
		}
		if err := again.Decode(out); err != nil || len(again.Argv) != len(c.Argv) || string(again.Stdin) != string(c.Stdin) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}

func FuzzOutcome(f *testing.F) {
	f.Add(frame(`{"exit_status":1,"stdout":2,"stderr":3}`, "hello"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var o Outcome
		if o.Decode(b) == nil && len(o.Stdout)+len(o.Stderr) > len(b) {
			t.Errorf("%+v", o)
		}
	})
}
