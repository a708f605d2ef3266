// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	long := strings.Repeat("ä", 3000)
	for _, tt := range []struct {
		sig    string
		result Result
		text   string
		json   string
	}{
		{"f64(f64)", Result{Value: Float64(math.Cos(0.5))}, "0.8775825618903728\n", `{"signature":"f64(f64)","value":0.8775825618903728}`},
		{"f64()", Result{Value: Float64(math.Inf(-1))}, "-Inf\n", `{"signature":"f64()","value":"-Inf"}`},
		{"f64()", Result{Value: Float64(math.NaN())}, "NaN\n", `{"signature":"f64()","value":"NaN"}`},
		{"f64()", Result{Value: Float64(1048576)}, "1048576\n", `{"signature":"f64()","value":1048576}`},
		{"f64()", Result{Value: Float64(5e-324)}, "5e-324\n", `{"signature":"f64()","value":5e-324}`},
		{"f32()", Result{Value: Float32(0.1)}, "0.1\n", `{"signature":"f32()","value":0.1}`},
		{"i8()", Result{Value: Int(-1)}, "-1\n", `{"signature":"i8()","value":-1}`},
		{"u64()", Result{Value: Uint(math.MaxUint64)}, "18446744073709551615\n", `{"signature":"u64()","value":18446744073709551615}`},
		{"bool()", Result{Value: Boolean(true)}, "true\n", `{"signature":"bool()","value":true}`},
		{"void()", Result{ErrnoKnown: true}, "", `{"signature":"void()","errno":0}`},
		{"i32()", Result{Value: Int(-1), ErrnoKnown: true, Errno: 2}, "-1\nerrno 2 (no such file or directory)\n",
			`{"signature":"i32()","value":-1,"errno":2,"errno_text":"no such file or directory"}`},
		{"str()", Result{Value: String("all is well")}, "all is well\n", `{"signature":"str()","value":"all is well"}`},
		{"str()", Result{Value: String("\x1b[2J")}, "\"\\x1b[2J\"\n", `{"signature":"str()","value":"\u001b[2J"}`},
		{"str()", Result{Value: String("\xff")}, "\"\\xff\"\n", `{"signature":"str()","value":"\ufffd","value_base64":"/w=="}`},
		{"str()", Result{Value: Value{Null: true}}, "NULL\n", `{"signature":"str()","value":null}`},
		{"void(out:6)", Result{Buffers: []Buffer{{0, []byte("host\x00\x00")}}}, "argument 1 (out:6), 6 bytes:\nhost\n",
			`{"signature":"void(out:6)","buffers":[{"argument":1,"type":"out:6","text":"host","base64":"aG9zdAAA"}]}`},
		{"void(in,io)", Result{Buffers: []Buffer{{1, []byte("\x00\xff")}}},
			"argument 2 (io), 2 bytes:\n00000000  00 ff                                             |..|\n",
			`{"signature":"void(in,io)","buffers":[{"argument":2,"type":"io","base64":"AP8="}]}`},
		{"void(io)", Result{Buffers: []Buffer{{0, []byte(long)}}}, "argument 1 (io), 6000 bytes:\n" + long[:4092] + "\n… 1908 more bytes\n", ""},
		{"void(io)", Result{Buffers: []Buffer{{0, append([]byte("a"), make([]byte, 9000)...)}}}, "argument 1 (io), 9001 bytes:\na\n", ""},
	} {
		tt.result.Signature = mustParse(t, tt.sig)
		var text bytes.Buffer
		if err := Render(&text, &tt.result); err != nil {
			t.Fatal(err)
		}
		if text.String() != tt.text {
			t.Errorf("%s: text\n%s\nwant\n%s", tt.sig, text.String(), tt.text)
		}
		j, err := MarshalJSON(&tt.result)
		if err != nil || !json.Valid(j) {
			t.Fatalf("%s: %s, %v", tt.sig, j, err)
		}
		if tt.json != "" && string(j) != tt.json {
			t.Errorf("%s: JSON\n%s\nwant\n%s", tt.sig, j, tt.json)
		}
	}
}

// Zeros do not fill the rest of a buffer if something follows them.
func TestRenderShortTextInLargeBuffer(t *testing.T) {
	for _, begin := range []string{"", "a", "abcdefgh"} {
		content := make([]byte, 2*shownText)
		copy(content, begin)
		content[len(content)-1] = 'z'
		r := Result{Signature: mustParse(t, "void(io)"), Buffers: []Buffer{{0, content}}}
		var out bytes.Buffer
		if err := Render(&out, &r); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); !strings.Contains(text, "\n00000000  ") || !strings.HasSuffix(text, "… 7936 more bytes\n") {
			t.Errorf("%q:\n%s", begin, text)
		}
	}
}

func TestRenderCutsHexDump(t *testing.T) {
	r := Result{Signature: mustParse(t, "void(io)"), Buffers: []Buffer{{0, bytes.Repeat([]byte{255}, 1<<20)}}}
	var out bytes.Buffer
	if err := Render(&out, &r); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(out.String(), "\n"); len(lines) != 1+16+1+1 || lines[17] != "… 1048320 more bytes" {
		t.Errorf("%d lines, last %q", len(lines), lines[len(lines)-2])
	}
}
