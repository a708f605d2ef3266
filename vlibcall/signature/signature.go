// SPDX-License-Identifier: Apache-2.0

package signature

import "strings"

const (
	// MaxArgs is the largest number of arguments.
	MaxArgs = 16

	// MaxSize bounds, in bytes, an encoded request, an encoded result and the
	// sum of a signature's out buffers.
	MaxSize = 64 << 20

	// MaxText bounds the length of a signature that [Parse] reads.
	MaxText = 512
)

// A Signature is the type of a C function. It comes from [Parse] and does not
// change afterwards, so it may be shared between goroutines.
type Signature struct {
	ret  Type
	args []Type
	text string
}

// Return is the type of the return value.
func (s *Signature) Return() Type { return s.ret }

// NumArgs is the number of arguments.
func (s *Signature) NumArgs() int { return len(s.args) }

// Arg is the type of argument i, counted from 0.
func (s *Signature) Arg(i int) Type { return s.args[i] }

// numValues is the number of arguments that a caller gives a value for.
func (s *Signature) numValues() int {
	n := 0
	for _, t := range s.args {
		if t.Kind.sent() {
			n++
		}
	}
	return n
}

// String returns the canonical form, without allocating.
func (s *Signature) String() string { return s.text }

func (s *Signature) canonical() string {
	var b strings.Builder
	b.WriteString(s.ret.String())
	b.WriteByte('(')
	for i, t := range s.args {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(t.String())
	}
	b.WriteByte(')')
	return b.String()
}
