// SPDX-License-Identifier: Apache-2.0

package xapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestNumbersThatJSONLacksBecomeNull(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":NaN,"b":[Infinity,-Infinity,-1.5e-3]}`: `{"a":null,"b":[null,null,-1.5e-3]}`,
		`{"NaN":"-Infinity \" NaN \\","I":"N"}`:      `{"NaN":"-Infinity \" NaN \\","I":"N"}`,
		"{\"a\":\"x\x01\ny\"}":                       `{"a":"x  y"}`,
		`{"a":true,"b":null,"c":false}`:              `{"a":true,"b":null,"c":false}`,
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			if got, err := io.ReadAll(newBody(r)); err != nil || string(got) != want {
				t.Errorf("%s became %s, %v, want %s", in, got, err, want)
			}
		}
	}
}

// No part of an answer is taken for an answer.
func TestPartOfAnAnswerIsAnError(t *testing.T) {
	text := `{"jsonrpc":"2.0","id":1,"result":{"events":[{"class":"vm","operation":"mod","ref":"r","snapshot":{"uuid":"u","f":[NaN,-Infinity],"domid":"5","other_config":{"vlibos:budget":"10ms"}}}],"token":"1,2"}}`
	for cut := range text {
		var all changes
		if err := answer(strings.NewReader(text[:cut]), all.decode); err == nil {
			t.Errorf("the first %d bytes are an answer: %+v", cut, all)
		}
	}
}

// A field that decides on reservations, and has another type than XAPI's, makes the answer
// no answer: left out, it would end its VM's reservation.
func TestFieldOfAnotherTypeIsAnError(t *testing.T) {
	for _, field := range []string{
		`"uuid":5`, `"name_label":{}`, `"power_state":[]`, `"resident_on":1`, `"tags":{}`, `"tags":[1]`,
		`"other_config":[]`, `"other_config":"x"`, `"other_config":{"vlibos:budget":10}`, `"VCPUs_params":1`, `"is_a_template":"false"`, `"is_control_domain":0`,
	} {
		text := `{"result":{"events":[{"class":"vm","operation":"mod","ref":"r","snapshot":{` + field + `}}],"token":"1,2"}}`
		var all changes
		if err := answer(strings.NewReader(text), all.decode); err == nil {
			t.Errorf("%s is taken: %+v", field, all.events[0])
		}
	}
}

// A VM whose UUID has another form, such as a domain's number or name, is none.
func TestVMWithoutAUUIDIsNone(t *testing.T) {
	for _, uuid := range []string{"", "5", "web", "aaaaaaaa-0000-0000-0000-00000000000", "aaaaaaaa-0000-0000-0000-000000000001\n", "aaaaaaaa-0000-0000-0000-00000000000g"} {
		text := `{"result":{"events":[{"class":"vm","operation":"mod","ref":"r","snapshot":{"uuid":"` + uuid + `"}}],"token":"1,2"}}`
		var all changes
		if err := answer(strings.NewReader(text), all.decode); err != nil || all.events[0].vm != nil {
			t.Errorf("%q: %+v, %v", uuid, all.events, err)
		}
	}
}

// endless is an answer whose one value does not end.
type endless struct{ begun bool }

func (e *endless) Read(p []byte) (int, error) {
	if !e.begun {
		e.begun = true
		return copy(p, `{"result":"`), nil
	}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestAnswerIsLimited(t *testing.T) {
	err := answer(&endless{}, discard)
	if !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	// Many values are, in total.
	b := newBody(&endless{})
	b.total = 10 << 20
	n, err := io.Copy(io.Discard, readMore{b})
	if !errors.Is(err, ErrTooLarge) || n > 11<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// readMore reads a body as values that are all short.
type readMore struct{ *body }

func (r readMore) Read(p []byte) (int, error) {
	r.more()
	return r.body.Read(p)
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":{"events":[{"class":"vm","operation":"mod","ref":"r","snapshot":{"uuid":"u","domid":"5","other_config":{"vlibos:budget":"1ms"}}}],"token":"1,2"}}`))
	f.Add([]byte(`{"error":{"code":1,"message":"HANDLE_INVALID","data":["VM"]},"id":null}`))
	f.Add([]byte(`{"result":NaN}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var all changes
		err := answer(bytes.NewReader(text), all.decode)
		for _, e := range all.events {
			if v := e.vm; v != nil && (len(v.Name) > MostText || len(v.Asked) > mostEntries || v.UUID != strings.ToLower(v.UUID)) {
				t.Errorf("%+v", v)
			}
		}
		if err == nil && !json.Valid(bytes.TrimSpace(text)) && !bytes.ContainsAny(text, "NI") && !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			// What follows a complete answer is not read.
			d := json.NewDecoder(bytes.NewReader(text))
			if err := d.Decode(new(json.RawMessage)); err != nil {
				t.Errorf("%q was accepted: %v", text, err)
			}
		}
	})
}
