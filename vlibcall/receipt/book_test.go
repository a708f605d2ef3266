// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("RECEIPT_TEST_DIR"); dir != "" {
		child(dir)
	}
	testkit.Main(m)
}

func open(t *testing.T, dir string) *Book {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func shelf(t *testing.T, dir string) *Shelf {
	t.Helper()
	s, err := OpenShelf(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Shelf) must(t *testing.T) ([]Account, Health) {
	t.Helper()
	all, h, err := s.Read()
	if err != nil {
		t.Fatal(err)
	}
	return all, h
}

var cost = transport.Cost{Foreground: 3000, Background: 1000, Queued: 500, Throttled: 7, Deschedules: 2}

func TestRecordedCallsAreRead(t *testing.T) {
	dir := t.TempDir()
	s := shelf(t, dir)
	b := open(t, dir)
	r := b.Recorder(Caller{33, "tool"}, "uuid-1", "web")
	r.Record("libz.so.1", "crc32", vlibcall.Receipt{Wall: 5000, Cost: &cost}, nil)
	r.Record("libz.so.1", "crc32", vlibcall.Receipt{Wall: 9000}, fmt.Errorf("call: %w", vlibcall.ErrTimeout))
	r.Record("libz.so.1", "adler32", vlibcall.Receipt{Wall: 1}, errors.New("odd"))
	b.Recorder(Caller{33, "tool"}, "uuid-1", "renamed").Record("libz.so.1", "crc32", vlibcall.Receipt{Wall: 7000}, nil)
	all, h := s.must(t)
	if len(all) != 2 || h != (Health{Books: 1}) {
		t.Fatalf("%+v, %+v", all, h)
	}
	adler, crc := all[0], all[1]
	if adler.Function != "adler32" || adler.Errors["other"] != 1 || adler.CPU.Count() != 0 {
		t.Errorf("%+v", adler)
	}
	want := Account{
		Key: Key{Caller{33, "tool"}, "uuid-1", "libz.so.1", "crc32"}, Name: "web",
		Wall: histogramOf(5000, 9000, 7000), CPU: histogramOf(4000), Queued: histogramOf(500),
		Foreground: 3000, Background: 1000, Throttled: 7, Deschedules: 2,
	}
	if crc.Errors["timeout"] != 1 || crc.Failed() != 1 {
		t.Errorf("errors %v", crc.Errors)
	}
	if crc.Errors = nil; fmt.Sprint(crc) != fmt.Sprint(want) {
		t.Errorf("%+v\nwant %+v", crc, want)
	}
}

// The calls of a closed book stay in the totals; its file is removed.
func TestClosedBookIsFoldedOnce(t *testing.T) {
	dir := t.TempDir()
	s := shelf(t, dir)
	for i := range 3 {
		b := open(t, dir)
		r := b.Recorder(Self(), "d", "d")
		for n := range 4 {
			if r.Record("l", "f", vlibcall.Receipt{Wall: 10}, nil); n == i {
				s.must(t) // some are known before
			}
		}
		if err := errors.Join(b.Close(), b.Close()); err != nil {
			t.Error(err)
		}
		r.Record("l", "f", vlibcall.Receipt{Wall: 10}, nil) // no fault
		r.Record("l", "new", vlibcall.Receipt{Wall: 10}, nil)
		all, h := s.must(t)
		for _, a := range all {
			if a.Function == "f" && (a.Wall.Count() < uint64(4*(i+1)) || a.Wall.Count() > uint64(5*(i+1))) {
				t.Errorf("after %d books of 4: %d", i+1, a.Wall.Count())
			}
		}
		if h.Books != 0 || h.Rejected != 0 {
			t.Errorf("%+v", h)
		}
		if left, err := os.ReadDir(filepath.Join(dir, directory)); err != nil || len(left) != 0 {
			t.Errorf("%v, %v", left, err)
		}
	}
}

// Many goroutines count while a daemon reads: all calls are counted in the end,
// and no counter goes backwards.
func TestConcurrentCounting(t *testing.T) {
	dir := t.TempDir()
	s := shelf(t, dir)
	b := open(t, dir)
	const goroutines, each = 8, 5000
	var wg sync.WaitGroup
	for g := range goroutines {
		r := b.Recorder(Self(), fmt.Sprint("d", g%2), "")
		wg.Go(func() {
			for i := range each {
				r.Record("l", fmt.Sprint("f", i%3), vlibcall.Receipt{Wall: time.Duration(i), Cost: &cost}, nil)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var last uint64
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		var n uint64
		all, _ := s.must(t)
		for _, a := range all {
			n += a.Wall.Count()
		}
		if n < last {
			t.Fatalf("%d, and before it was %d", n, last)
		}
		last = n
	}
	if last != goroutines*each {
		t.Errorf("%d calls are counted, want %d", last, goroutines*each)
	}
}

func TestFunctionsWithoutRoomCountTogether(t *testing.T) {
	dir := t.TempDir()
	s := shelf(t, dir)
	r := open(t, dir).Recorder(Self(), "d", "d")
	const functions = capacity + 100
	for range 2 {
		for i := range functions {
			r.Record("l", fmt.Sprint(i), vlibcall.Receipt{Wall: 10}, nil)
		}
	}
	all, _ := s.must(t)
	if len(all) != capacity {
		t.Fatalf("%d accounts, want %d", len(all), capacity)
	}
	var n uint64
	for _, a := range all {
		n += a.Wall.Count()
	}
	if other := all[0]; other.Key != (Key{Self(), "", Other, Other}) || other.Wall.Count() != 2*(functions-capacity+1) || n != 2*functions {
		t.Errorf("%v: %d; of all %d", other.Key, other.Wall.Count(), n)
	}
}

// The daemon's own limit.
func TestCallersWithoutRoomCountTogether(t *testing.T) {
	dir := t.TempDir()
	s := shelf(t, dir)
	calls := 0
	for i := 0; calls <= maxKeys; i++ {
		b := open(t, dir)
		for uid := range uint32(capacity - 1) {
			b.Recorder(Caller{uid, fmt.Sprint(i)}, "d", "d").Record("l", "f", vlibcall.Receipt{}, nil)
			calls++
		}
	}
	all, h := s.must(t)
	var n uint64
	for _, a := range all {
		n += a.Wall.Count()
	}
	if len(all) != maxKeys+1 || !h.Overflow || n != uint64(calls) {
		t.Errorf("%d accounts, %d calls of %d, %+v", len(all), n, calls, h)
	}
}

func TestNoBookWithoutADaemon(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	dir := t.TempDir()
	for range maxBooks {
		b, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	if _, err := Open(dir); !errors.Is(err, ErrFull) {
		t.Errorf("book %d: %v", maxBooks+1, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, directory, newPrefix+"*")); len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	s := shelf(t, dir)
	s.must(t)
	open(t, dir)
}

func TestShelfOthersCanWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, directory), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, directory), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenShelf(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a directory for all: %v", err)
	}
	dir = t.TempDir()
	if err := os.Symlink("/tmp", filepath.Join(dir, directory)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenShelf(dir, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a symbolic link was taken")
	}
}

func TestRunRemovesBooksOfDeadProcesses(t *testing.T) {
	dir := t.TempDir()
	s := shelf(t, dir)
	open(t, dir).Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	testkit.Eventually(t, "no file is left", func() bool {
		left, err := os.ReadDir(filepath.Join(dir, directory))
		return err == nil && len(left) == 0
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The file is an interface between versions that run at the same time. A change
// of its layout must change the revision.
func TestBookHasTheLayoutOfItsRevision(t *testing.T) {
	var r record
	for what, is := range map[string][2]int{
		"record":   {recordSize, 9152},
		"comm":     {int(unsafe.Offsetof(r.comm)), 8},
		"domain":   {int(unsafe.Offsetof(r.domain)), 24},
		"words":    {int(unsafe.Offsetof(r.words)), 1048},
		"counters": {wordCount, 1008},
		"errors":   {errorsAt, 993},
		"used":     {int(unsafe.Offsetof(header{}.used)), 16},
		"file":     {fileSize, 4096 + 64*9152},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %d, want %d", what, is[0], is[1])
		}
	}
}
