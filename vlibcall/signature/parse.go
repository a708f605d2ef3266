// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"fmt"
	"strconv"
	"strings"
)

// A SyntaxError says where and why a text is not a signature.
type SyntaxError struct {
	Text  string // the text given to Parse, shortened if it is too long
	Pos   int    // position in bytes, counted from 1
	Found string // the text there, quoted or described
	Want  string // what would be allowed there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("signature %q, position %d: found %s, want %s", e.Text, e.Pos, e.Found, e.Want)
}

const (
	wantReturn = "a return type (void, i8, i16, i32, i64, u8, u16, u32, u64, bool, f32, f64, str)"
	wantArg    = "an argument type (i8, i16, i32, i64, u8, u16, u32, u64, bool, f32, f64, str, in, io, out:N, sym, null)"
	hintPtr    = "; pointers do not cross address spaces: pass bytes by in, io or out:N, a symbol by sym, NULL by null"
	hintVar    = "; for a variadic function name the types of this one call"
)

// Parse reads a signature in the notation of the package comment. Its errors
// are of type [*SyntaxError].
func Parse(text string) (*Signature, error) {
	if len(text) > MaxText {
		return nil, &SyntaxError{
			Text: text[:32] + "…", Pos: MaxText + 1,
			Found: fmt.Sprintf("%d bytes", len(text)), Want: fmt.Sprintf("at most %d", MaxText),
		}
	}
	p := parser{text: text}
	s, err := p.signature()
	if err != nil {
		return nil, err
	}
	s.text = s.canonical()
	return s, nil
}

// parser reads text from left to right; tok is the token at pos.
type parser struct {
	text string
	pos  int // of tok
	tok  string
	next int // where the token after tok begins, blanks included
	out  int // sum of the out sizes so far
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// advance moves to the next token: a word, or one other character, or "..."
// so that it can be named in an error; "" at the end.
func (p *parser) advance() {
	i := p.next
	for i < len(p.text) && (p.text[i] == ' ' || p.text[i] == '\t') {
		i++
	}
	p.pos = i
	rest := p.text[i:]
	n := 0
	for n < len(rest) && wordByte(rest[n]) {
		n++
	}
	switch {
	case n > 0 || rest == "":
	case strings.HasPrefix(rest, "..."):
		n = 3
	default:
		for j := range rest {
			if j > 0 {
				n = j
				break
			}
		}
		if n == 0 {
			n = len(rest)
		}
	}
	p.tok, p.next = rest[:n], i+n
}

func (p *parser) fail(want string) error {
	found := "the end"
	if p.tok != "" {
		found = strconv.Quote(p.tok)
	}
	return p.failFound(found, want)
}

func (p *parser) failFound(found, want string) error {
	return &SyntaxError{Text: p.text, Pos: p.pos + 1, Found: found, Want: want}
}

func (p *parser) signature() (*Signature, error) {
	var s Signature
	p.advance()
	kind, ok := kindsByName[p.tok]
	if !ok || !kind.returnable() {
		return nil, p.fail(wantReturn + p.hint())
	}
	s.ret = Type{Kind: kind}
	p.advance()
	if p.tok != "(" {
		return nil, p.fail(`"(" and the argument types` + p.hint())
	}
	p.advance()
	for p.tok != ")" || len(s.args) > 0 {
		if len(s.args) == MaxArgs {
			return nil, p.failFound(fmt.Sprintf("argument %d", MaxArgs+1), fmt.Sprintf("at most %d arguments", MaxArgs))
		}
		t, err := p.argument()
		if err != nil {
			return nil, err
		}
		s.args = append(s.args, t)
		if p.tok == ")" {
			break
		}
		if p.tok != "," {
			return nil, p.fail(`"," or ")"` + p.hint())
		}
		p.advance()
	}
	p.advance()
	if p.tok != "" {
		return nil, p.fail("the end")
	}
	return &s, nil
}

// hint explains, for what people write by habit, what to write instead.
func (p *parser) hint() string {
	switch p.tok {
	case "*", "ptr", "pointer", "char":
		return hintPtr
	case "...":
		return hintVar
	case "int":
		return "; C's int is i32"
	case "long":
		return "; C's long is i64"
	case "size", "size_t":
		return "; C's size_t is u64"
	case "double":
		return "; C's double is f64"
	case "float":
		return "; C's float is f32"
	case "void":
		return `; a function without arguments is written "()"`
	}
	return ""
}

func (p *parser) argument() (Type, error) {
	kind, ok := kindsByName[p.tok]
	if !ok || kind == Void {
		return Type{}, p.fail(wantArg + p.hint())
	}
	if kind != Out {
		p.advance()
		return Type{Kind: kind}, nil
	}
	p.advance()
	if p.tok != ":" {
		return Type{}, p.fail(`":" and the size of the buffer, as in out:256`)
	}
	p.advance()
	size, ok := parseSize(p.tok)
	if !ok || size < 1 || size > MaxSize-p.out {
		return Type{}, p.fail(fmt.Sprintf("a size from 1 to %d bytes (all out buffers together at most %d)", MaxSize-p.out, MaxSize))
	}
	p.out += size
	p.advance()
	return Type{Kind: Out, Size: size}, nil
}

// parseSize reads decimal digits with an optional k or m.
func parseSize(word string) (int, bool) {
	shift := 0
	if digits, ok := strings.CutSuffix(word, "k"); ok {
		word, shift = digits, 10
	} else if digits, ok := strings.CutSuffix(word, "m"); ok {
		word, shift = digits, 20
	}
	n, err := strconv.ParseUint(word, 10, 32)
	if err != nil || n<<shift > MaxSize {
		return 0, false
	}
	return int(n << shift), true
}
