// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Loader returns the content of the file name, or of standard input if name
// is "-". It fails rather than return more than limit bytes.
type Loader func(name string, limit int) ([]byte, error)

// ParseValues reads the values of a request from the words of a command line,
// one for each argument that takes a value: all but out and null.
//
//	integers  decimal or 0x… with an optional sign, or len:N for the number of
//	          bytes that argument N (from 1) passes or provides
//	f32 f64   decimal, 0x…p…, inf, nan
//	bool      true, false, 1, 0
//	str sym   the word as it is
//	in io     @FILE the content of a file, @- that of standard input,
//	          hex:… bytes in hexadecimal, text:… the rest of the word;
//	          any other word is itself the content
//
// load is asked for @FILE; it may be nil if none are allowed. Errors about one
// value are of type [*ArgError].
func ParseValues(s *Signature, words []string, load Loader) (*Request, error) {
	if err := s.checkCount(len(words)); err != nil {
		return nil, err
	}
	p := valueParser{req: &Request{Signature: s, Args: make([]Value, len(s.args))}, words: make([]string, len(s.args)), load: load}
	for i, t := range s.args {
		if t.Kind.sent() {
			p.words[i], words = words[0], words[1:]
		}
	}
	// Lengths refer to other arguments, later ones too: they are read last.
	for _, lengths := range []bool{false, true} {
		for i, t := range s.args {
			if !t.Kind.sent() || lengths != p.isLength(i) {
				continue
			}
			v, err := p.value(i)
			if err != nil {
				return nil, &ArgError{Arg: i + 1, Type: t.String(), Problem: err.Error()}
			}
			p.req.Args[i] = v
		}
	}
	if _, err := p.req.Size(); err != nil {
		return nil, err
	}
	return p.req, nil
}

const lengthPrefix = "len:"

type valueParser struct {
	req   *Request
	words []string // by argument
	load  Loader
}

func (p *valueParser) isLength(i int) bool {
	k := p.req.Signature.args[i].Kind
	return (k.Signed() || k.Unsigned()) && strings.HasPrefix(p.words[i], lengthPrefix)
}

func (p *valueParser) value(i int) (Value, error) {
	word := p.words[i]
	switch k := p.req.Signature.args[i].Kind; {
	case p.isLength(i):
		return p.length(k, word)
	case k.Signed() || k.Unsigned():
		return parseInteger(k, word)
	case k.Float():
		return parseFloat(k, word)
	case k == Bool:
		switch word {
		case "true", "1":
			return Boolean(true), nil
		case "false", "0":
			return Boolean(false), nil
		}
		return Value{}, fmt.Errorf("%.80q is not true, false, 1 or 0", word)
	case k == In || k == IO:
		b, err := p.content(word)
		return Bytes(b), err
	}
	return String(word), nil
}

// length reads len:N.
func (p *valueParser) length(k Kind, word string) (Value, error) {
	n, err := strconv.Atoi(word[len(lengthPrefix):])
	if err != nil || n < 1 || n > len(p.words) {
		return Value{}, fmt.Errorf("%.80q does not name an argument from 1 to %d", word, len(p.words))
	}
	switch t := p.req.Signature.args[n-1]; t.Kind {
	case In, IO, Out, Str:
		return parseInteger(k, strconv.Itoa(p.req.bufferLen(n-1)))
	default:
		return Value{}, fmt.Errorf("%.80q: argument %d is %s and has no length", word, n, t)
	}
}

func parseInteger(k Kind, word string) (Value, error) {
	digits, base := word, 10
	sign := ""
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		sign, digits = digits[:1], digits[1:]
	}
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		digits, base = digits[2:], 16
	}
	magnitude, err := strconv.ParseUint(digits, base, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return Value{}, fmt.Errorf("%.80q is not an integer (decimal or 0x…)", word)
	}
	low, high := limits(k)
	below := sign == "-" && magnitude > -uint64(low) // exact for the minimum of i64 too
	above := sign != "-" && magnitude > high
	if err != nil || below || above {
		return Value{}, fmt.Errorf("%.80s is out of range, %d to %d", word, low, high)
	}
	if sign == "-" {
		magnitude = -magnitude
	}
	return Uint(magnitude), nil
}

// limits returns the least and the greatest integer of kind k.
func limits(k Kind) (int64, uint64) {
	if k.Signed() {
		return -1 << (k.Bits() - 1), 1<<(k.Bits()-1) - 1
	}
	return 0, ^uint64(0) >> (64 - k.Bits())
}

func parseFloat(k Kind, word string) (Value, error) {
	f, err := strconv.ParseFloat(word, k.Bits())
	switch {
	case errors.Is(err, strconv.ErrRange):
		return Value{}, fmt.Errorf("%.80s is out of the range of %s", word, k)
	case err != nil:
		return Value{}, fmt.Errorf("%.80q is not a number", word)
	case k == F32:
		return Float32(float32(f)), nil
	}
	return Float64(f), nil
}

// content reads the value of a buffer.
func (p *valueParser) content(word string) ([]byte, error) {
	if name, ok := strings.CutPrefix(word, "@"); ok {
		if p.load == nil {
			return nil, fmt.Errorf("%.80q: files are not read here; give the content by hex: or text: instead", word)
		}
		return p.load(name, MaxSize)
	}
	if digits, ok := strings.CutPrefix(word, "hex:"); ok {
		b, err := hex.DecodeString(digits)
		if err != nil {
			return nil, fmt.Errorf("%.80q: %w", word, err)
		}
		return b, nil
	}
	return []byte(strings.TrimPrefix(word, "text:")), nil
}
