// SPDX-License-Identifier: Apache-2.0

package xapi

import (
	"encoding/json"
	"fmt"
	"io"
)

// body reads an answer as JSON. XAPI writes numbers that JSON does not have, NaN
// and Infinity, which become null; and raw control characters in strings, which
// become spaces. It limits what is read between two calls of more, and in total.
type body struct {
	r     io.Reader
	err   error
	chunk []byte // as read
	buf   []byte // what the chunk becomes
	out   []byte // the part of buf that is not returned yet
	total int64  // that may still be read
	left  int64  // of it, until the next call of more

	quoted, escaped bool // the state inside a string
	minus           bool // the last byte was a minus outside of strings
	word            bool // inside NaN or Infinity
}

// Limits of an answer. A pool has some ten thousand VMs at most, and the record
// of each has 5 to 10 KB; the first answer has each VM twice.
const (
	mostValue  = 4 << 20   // of one value that is decoded as a whole
	mostAnswer = 512 << 20 // of an answer, which is decoded in pieces
)

func newBody(r io.Reader) *body {
	return &body{r: r, chunk: make([]byte, 32<<10), total: mostAnswer, left: mostValue}
}

// more allows another value.
func (b *body) more() { b.left = mostValue }

func (b *body) Read(p []byte) (int, error) {
	for len(b.out) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if b.left <= 0 || b.total <= 0 {
			b.err = ErrTooLarge
			continue
		}
		n, err := b.r.Read(b.chunk)
		b.err = err
		b.left, b.total = b.left-int64(n), b.total-int64(n)
		b.filter(b.chunk[:n])
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

// filter sets out, which is empty, to what a chunk becomes.
func (b *body) filter(chunk []byte) {
	out := b.buf[:0]
	for _, c := range chunk {
		if b.quoted {
			switch {
			case b.escaped:
				b.escaped = false
			case c == '\\':
				b.escaped = true
			case c == '"':
				b.quoted = false
			case c < ' ':
				c = ' '
			}
			out = append(out, c)
			continue
		}
		if b.word && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			continue
		}
		b.word = c == 'N' || c == 'I'
		if b.minus && !b.word {
			out = append(out, '-')
		}
		b.minus = c == '-'
		switch {
		case b.word:
			out = append(out, "null"...)
		case !b.minus:
			b.quoted = c == '"'
			out = append(out, c)
		}
	}
	b.buf, b.out = out, out
}

// answer decodes a response of JSON-RPC. result decodes the member of that name.
func answer(r io.Reader, result func(*body, *json.Decoder) error) error {
	b := newBody(r)
	d := json.NewDecoder(b)
	found := false
	err := object(b, d, func(key string) error {
		switch key {
		case "result":
			found = true
			return result(b, d)
		case "error":
			var e struct {
				Message Name
				Data    []string
			}
			if err := d.Decode(&e); err != nil || e.Message == "" {
				return err // XAPI also writes "error": null
			}
			return &Error{e.Message, e.Data}
		}
		return d.Decode(new(json.RawMessage))
	})
	if err == nil && !found {
		return fmt.Errorf("%w: it has neither a result nor an error", ErrAnswer)
	}
	return err
}

// object calls member for each member of an object, after its key.
func object(b *body, d *json.Decoder, member func(key string) error) error {
	if err := delimiter(d, '{'); err != nil {
		return err
	}
	for d.More() {
		b.more()
		key, err := d.Token()
		if err != nil {
			return err
		}
		if err := member(key.(string)); err != nil {
			return err
		}
	}
	return delimiter(d, '}')
}

// array calls element for each element of an array.
func array(b *body, d *json.Decoder, element func() error) error {
	if err := delimiter(d, '['); err != nil {
		return err
	}
	for d.More() {
		b.more()
		if err := element(); err != nil {
			return err
		}
	}
	return delimiter(d, ']')
}

func delimiter(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err == nil && t != want {
		return fmt.Errorf("%w: %.40v where %v is expected", ErrAnswer, t, want)
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
