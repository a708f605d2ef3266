// SPDX-License-Identifier: Apache-2.0

package labproto

import (
	"bytes"
	"testing"
)

func TestDiskHeaderIsReadAsItWasWritten(t *testing.T) {
	want := DiskHeader{Bytes: 4711, UnixNano: 5, Seed: []byte{0, 1, 0}}
	block, err := want.Encode()
	if err != nil || len(block) != DiskBlock {
		t.Fatalf("%d bytes, %v", len(block), err)
	}
	got, ok, err := DecodeDiskHeader(block)
	if err != nil || !ok || got.Bytes != want.Bytes || got.UnixNano != want.UnixNano || !bytes.Equal(got.Seed, want.Seed) {
		t.Errorf("%+v, %v, %v, want %+v", got, ok, err, want)
	}
	if _, ok, err := DecodeDiskHeader(make([]byte, DiskBlock)); ok || err != nil {
		t.Errorf("an empty disk: %v, %v", ok, err)
	}
	for _, bad := range []string{"{", `{"bytes":-1}`, `{"bytes":99999999999}`} {
		if _, ok, err := DecodeDiskHeader([]byte(bad)); ok || err == nil {
			t.Errorf("%s: %v, %v", bad, ok, err)
		}
	}
	if _, err := (DiskHeader{Seed: make([]byte, DiskBlock)}).Encode(); err == nil {
		t.Error("a header is accepted that is larger than its block")
	}
}
