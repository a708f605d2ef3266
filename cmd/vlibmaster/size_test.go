// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

func TestReadSize(t *testing.T) {
	for text, want := range map[string]int{
		"1": 8192, "8192": 8192, "8193": 12288, "8k": 8192, "9k": 12288, "1m": 1 << 20, "1024m": transport.MaxSize,
	} {
		if got, err := readSize(text); got != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"0", "-1", "", "k", "1g", "1.5m", "1025m", "4294967295m", "99999999999"} {
		if got, err := readSize(text); err == nil {
			t.Errorf("%s: %d", text, got)
		}
	}
}

// A channel of the chosen size carries the input and leaves room for the
// output behind it.
func TestChannelSize(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 4000, 4096, 1 << 20} {
		o := &callOptions{library: "library", function: "function"}
		f := &rawForm{make([]byte, n)}
		size := channelSize(o, f)
		if err := transport.CheckSize(size); err != nil {
			t.Error(err)
		}
		names := len("library") + 1 + len("function")
		if left := size - transport.HeaderSize - (names+n+63)/64*64; left < f.room() || left > f.room()+transport.HeaderSize {
			t.Errorf("input of %d bytes: %d left for output, want %d", n, left, f.room())
		}
	}
}
