// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"
)

type jsonResult struct {
	Signature   string          `json:"signature"`
	Value       json.RawMessage `json:"value,omitempty"`
	ValueBase64 []byte          `json:"value_base64,omitempty"`
	Errno       *int32          `json:"errno,omitempty"`
	ErrnoText   string          `json:"errno_text,omitempty"`
	Buffers     []jsonBuffer    `json:"buffers,omitempty"`
}

type jsonBuffer struct {
	Arg    int     `json:"argument"`
	Type   string  `json:"type"`
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64"`
}

// MarshalJSON returns r as a JSON object for programs:
//
//	signature     the canonical signature
//	value         the return value; absent for void, null for a NULL string.
//	              Numbers are exact, so 64-bit integers may exceed what a
//	              reader keeps in a double; NaN and infinities are the strings
//	              "NaN", "+Inf" and "-Inf"
//	value_base64  the bytes of a string that is not valid UTF-8
//	errno         if it is known; errno_text if it is not 0
//	buffers       of each io and out: argument (from 1), type, base64, and
//	              text if what stands before the zeros at the end is UTF-8
func MarshalJSON(r *Result) ([]byte, error) {
	out := jsonResult{Signature: r.Signature.text}
	var err error
	if out.Value, err = json.Marshal(jsonValue(r.Signature.ret.Kind, r.Value)); err != nil {
		return nil, err
	}
	switch r.Signature.ret.Kind {
	case Void:
		out.Value = nil
	case Str:
		if !utf8.Valid(r.Value.Bytes) {
			out.ValueBase64 = bytes.Clone(r.Value.Bytes)
		}
	}
	if r.ErrnoKnown {
		out.Errno = &r.Errno
	}
	if r.Errno != 0 {
		out.ErrnoText = errnoText(r.Errno)
	}
	for _, b := range r.Buffers {
		content := bytes.Clone(b.Bytes)
		j := jsonBuffer{Arg: b.Arg + 1, Type: r.Signature.args[b.Arg].String(), Base64: content}
		if text := strings.TrimRight(string(content), "\x00"); utf8.ValidString(text) {
			j.Text = &text
		}
		out.Buffers = append(out.Buffers, j)
	}
	return json.Marshal(out)
}

func jsonValue(k Kind, v Value) any {
	switch {
	case k.Signed():
		return v.Int()
	case k == Bool:
		return v.Boolean()
	case k == F64 && finite(v.Float64()):
		return v.Float64()
	case k == F32 && finite(float64(v.Float32())):
		return v.Float32()
	case k.Float():
		return formatValue(k, v)
	case k == Str && v.Null:
		return nil
	case k == Str:
		return string(v.Bytes)
	}
	return v.Uint()
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
