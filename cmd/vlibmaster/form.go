// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// A form is how words become the input of a call, and its output what a
// person or a program reads.
type form interface {
	// input is the same each time.
	input() []byte
	// room is how many bytes of output to provide for.
	room() int
	// buffers is how many files --out can fill.
	buffers() int
	// check says whether output is an answer at all. It is called for each
	// call of a series, and cheap.
	check(output []byte) error
	// answer reads output, which has been checked.
	answer(output []byte) (answer, error)
}

// An answer is what a call gave back.
type answer struct {
	// show writes all but the content of the first saved buffers, which
	// went to files.
	show    func(stdout, stderr io.Writer, saved int) error
	buffers [][]byte
	fields  json.Marshaler // an object, for --json
	failed  error          // the call was answered, with a failure
}

// plainRoom is the room for output whose size nothing tells.
const plainRoom = 56 << 10

// formOf chooses the form by what is called and how.
func formOf(o *callOptions, stdin io.Reader) (form, error) {
	switch {
	case o.signature != "":
		return newSignatureForm(o, stdin)
	case o.stdin && (o.library != builtin.Library || o.function != builtin.Run):
		return nil, usagef("--stdin is for %s %s; elsewhere the argument @- is standard input", builtin.Library, builtin.Run)
	case o.library == builtin.Library && o.function == builtin.Run:
		return newRunForm(o, stdin)
	}
	return newRawForm(o, stdin)
}

// channelSize is the size that a channel needs for one call, in whole pages.
// The output lies behind the input, at the next cache line.
func channelSize(o *callOptions, f form) int {
	const page = transport.HeaderSize
	names := len(o.library) + 1 + len(o.function)
	need := page + (names+len(f.input())+63)&^63 + f.room()
	return max((need+page-1)&^(page-1), 2*page)
}

// protocolViolation is an output that is none.
func protocolViolation(err error) error {
	return fmt.Errorf("%w: %w", vlibcall.ErrProtocol, err)
}
