// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

// rawForm calls a function that takes bytes and gives bytes.
type rawForm struct{ content []byte }

func newRawForm(o *callOptions, stdin io.Reader) (form, error) {
	if len(o.args) != 1 {
		return &rawForm{[]byte(strings.Join(o.args, " "))}, nil
	}
	word := o.args[0]
	if word == "-" {
		word = "@-"
	}
	b, err := content(word, stdin)
	if err != nil {
		return nil, argument(err)
	}
	return &rawForm{b}, nil
}

// content reads a word as the signature notation reads a buffer's.
func content(word string, stdin io.Reader) ([]byte, error) {
	sig, err := signature.Parse("void(in)")
	if err != nil {
		return nil, err
	}
	req, err := signature.ParseValues(sig, []string{word}, signature.Files(stdin))
	if err != nil {
		return nil, err
	}
	return req.Args[0].Bytes, nil
}

func (f *rawForm) input() []byte { return f.content }

// room provides for a function that returns about as much as it takes.
func (f *rawForm) room() int          { return len(f.content) + plainRoom }
func (f *rawForm) buffers() int       { return 1 }
func (f *rawForm) check([]byte) error { return nil }

func (f *rawForm) answer(output []byte) (answer, error) {
	return answer{
		buffers: [][]byte{output},
		fields:  rawFields(output),
		show: func(stdout, _ io.Writer, saved int) error {
			if saved > 0 {
				return nil
			}
			return writeGuest(stdout, output)
		},
	}, nil
}

type rawFields []byte

func (b rawFields) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Output bytesJSON `json:"output"`
	}{bytesJSON(b)})
}

// bytesJSON is base64, and text beside it if that is what the bytes are.
type bytesJSON []byte

func (b bytesJSON) MarshalJSON() ([]byte, error) {
	var out struct {
		Text   *string `json:"text,omitempty"`
		Base64 []byte  `json:"base64"`
	}
	if out.Base64 = b; out.Base64 == nil {
		out.Base64 = []byte{}
	}
	if utf8.Valid(b) {
		s := string(b)
		out.Text = &s
	}
	return json.Marshal(out)
}
