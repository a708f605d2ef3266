// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

const (
	shownText = 4096 // bytes of a buffer that are shown when they are text
	shownHex  = 256  // and when they are not
)

// Render writes r for people: the return value in a line (none for void), then
// errno if it is not 0, then each io and out buffer with the argument's number
// before it. Text is written as it is if it is printable, else quoted or in
// hexadecimal, so a guest cannot send control sequences to a terminal. Long
// buffers are cut, which is said; their whole content is in r.Buffers and in
// [MarshalJSON].
//
// Errno means something only if the function says by its value that it failed.
func Render(w io.Writer, r *Result) error {
	var out bytes.Buffer
	if r.Signature.ret.Kind != Void {
		out.WriteString(formatValue(r.Signature.ret.Kind, r.Value))
		out.WriteByte('\n')
	}
	if r.Errno != 0 {
		fmt.Fprintf(&out, "errno %d (%s)\n", r.Errno, errnoText(r.Errno))
	}
	for _, b := range r.Buffers {
		fmt.Fprintf(&out, "argument %d (%s), %d bytes:\n", b.Arg+1, r.Signature.args[b.Arg], len(b.Bytes))
		renderBuffer(&out, b.Bytes)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// formatValue writes floats as the shortest text that reads back as the same
// value.
func formatValue(k Kind, v Value) string {
	switch {
	case k.Signed():
		return strconv.FormatInt(v.Int(), 10)
	case k == Bool:
		return strconv.FormatBool(v.Boolean())
	case k == F64:
		return formatFloat(v.Float64(), 64)
	case k == F32:
		return formatFloat(float64(v.Float32()), 32)
	case k == Str && v.Null:
		return "NULL"
	case k == Str:
		return quoteUnprintable(string(v.Bytes))
	}
	return strconv.FormatUint(v.Uint(), 10)
}

// formatFloat has no exponent where a person would write none; encoding/json
// draws the line in the same places.
func formatFloat(f float64, bits int) string {
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(f, format, -1, bits)
}

func quoteUnprintable(s string) string {
	if printable(s) {
		return s
	}
	return strconv.Quote(s)
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\t'
	})
}

// renderBuffer shows text up to the zeros that fill the rest, and other
// content as a hexadecimal dump.
func renderBuffer(out *bytes.Buffer, b []byte) {
	text := bytes.Clone(b[:min(len(b), shownText)])
	whole := len(bytes.TrimLeft(b[len(text):], "\x00")) == 0
	if whole {
		text = bytes.TrimRight(text, "\x00")
	} else {
		text = text[:runeStart(text, shownText-utf8.UTFMax)]
	}
	if len(text) > 0 && printable(string(text)) {
		out.Write(text)
		if text[len(text)-1] != '\n' {
			out.WriteByte('\n')
		}
		if !whole {
			fmt.Fprintf(out, "… %d more bytes\n", len(b)-len(text))
		}
		return
	}
	out.WriteString(hex.Dump(b[:min(len(b), shownHex)]))
	if len(b) > shownHex {
		fmt.Fprintf(out, "… %d more bytes\n", len(b)-shownHex)
	}
}

// runeStart is the last place up to n where a rune of b begins.
func runeStart(b []byte, n int) int {
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}

// errnoText assumes that both sides run Linux on the same architecture, as
// Dom0 and its guests do here.
func errnoText(errno int32) string { return syscall.Errno(errno).Error() }
