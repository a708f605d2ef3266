// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/vlibcall"
)

// The size that the error recommends is enough for the request, and is the least.
func TestTooLargeRequestNamesTheChannelSize(t *testing.T) {
	d := serving(t)
	call := func(size int) error {
		c, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: size})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Call(context.Background(), "t", "sleep", make([]byte, 10_000), nil)
		return err
	}
	err := call(8192)
	if !errors.Is(err, vlibcall.ErrTooLarge) {
		t.Fatal(err)
	}
	text := err.Error()
	var size int
	if _, scan := fmt.Sscanf(text[strings.Index(text, "set Options.Size"):], "set Options.Size (--size) to %d or more", &size); scan != nil {
		t.Fatalf("%s: %v", text, scan)
	}
	if err := call(size); err != nil {
		t.Errorf("%d bytes, as the error says: %v", size, err)
	}
	if err := call(size - 4096); !errors.Is(err, vlibcall.ErrTooLarge) {
		t.Errorf("%d bytes: %v, want that they do not suffice", size-4096, err)
	}
}
