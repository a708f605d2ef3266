// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

// signatureForm calls a C function.
type signatureForm struct {
	request *signature.Request
	encoded []byte
	result  signature.Result
}

func newSignatureForm(o *callOptions, stdin io.Reader) (form, error) {
	sig, err := signature.Parse(o.signature)
	if err != nil {
		return nil, argument(err)
	}
	req, err := signature.ParseValues(sig, o.args, signature.Files(stdin))
	if err != nil {
		return nil, argument(err)
	}
	encoded, err := req.Append(nil)
	if err != nil {
		return nil, argument(err)
	}
	return &signatureForm{request: req, encoded: encoded}, nil
}

func (f *signatureForm) input() []byte { return f.encoded }

// room provides for a returned string too.
func (f *signatureForm) room() int { return f.request.ResultSize() + plainRoom }

func (f *signatureForm) buffers() int {
	n := 0
	for i := range f.request.Signature.NumArgs() {
		if k := f.request.Signature.Arg(i).Kind; k == signature.IO || k == signature.Out {
			n++
		}
	}
	return n
}

func (f *signatureForm) check(output []byte) error {
	err := f.result.Decode(output, f.request)
	if malformed := (*signature.FormatError)(nil); errors.As(err, &malformed) {
		return protocolViolation(err)
	}
	return err
}

func (f *signatureForm) answer(output []byte) (answer, error) {
	if err := f.check(output); err != nil {
		return answer{}, err
	}
	r := &f.result
	a := answer{fields: resultFields{r}}
	for _, b := range r.Buffers {
		a.buffers = append(a.buffers, b.Bytes)
	}
	a.show = func(stdout, _ io.Writer, saved int) error {
		rest := *r
		rest.Buffers = r.Buffers[saved:]
		return signature.Render(stdout, &rest)
	}
	return a, nil
}

type resultFields struct{ *signature.Result }

func (f resultFields) MarshalJSON() ([]byte, error) { return signature.MarshalJSON(f.Result) }
