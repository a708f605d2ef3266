// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"log/slog"
	"testing"
	"time"
	"unsafe"

	"github.com/vlibos/vlibos/vlibcall"
)

func bytesOf(w []uint64) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 8*len(w)) }

func recorder(b *testing.B) *Recorder {
	book, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { book.Close() })
	return book.Recorder(Self(), "1c9a7d3e-0b6c-4f5e-9a57-2f1f7d1f0b11", "web")
}

// BenchmarkRecord is the time that recording adds to a call: /wall without a
// reservation, /paid with its cost.
func BenchmarkRecord(b *testing.B) {
	for name, r := range map[string]vlibcall.Receipt{"wall": {Wall: 5000}, "paid": {Wall: 5000, Cost: &cost}} {
		b.Run(name, func(b *testing.B) {
			rec := recorder(b)
			b.ReportAllocs()
			for b.Loop() {
				rec.Record("libz.so.1", "crc32", r, nil)
			}
		})
	}
}

// BenchmarkRead is the daemon's work for a scrape, for each book of eight
// functions.
func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	book, err := Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer book.Close()
	r := book.Recorder(Self(), "d", "d")
	for _, f := range "abcdefgh" {
		r.Record("l", string(f), vlibcall.Receipt{Wall: time.Millisecond}, nil)
	}
	s, err := OpenShelf(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := s.Read(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	rec := open(t, t.TempDir()).Recorder(Self(), "d", "d")
	r := vlibcall.Receipt{Wall: 5000, Cost: &cost}
	rec.Record("l", "f", r, nil)
	if n := testing.AllocsPerRun(100, func() { rec.Record("l", "f", r, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
