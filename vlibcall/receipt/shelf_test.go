// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
)

// child counts until it is killed, and reports when it begins.
func child(dir string) {
	b, err := Open(dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	r := b.Recorder(Caller{1, "child"}, "d", "d")
	for i := 0; ; i++ {
		if r.Record("l", "f", vlibcall.Receipt{Wall: time.Duration(i)}, nil); i == 1000 {
			fmt.Println("counting")
		}
	}
}

// start runs a child and waits until it counts.
func start(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "RECEIPT_TEST_DIR="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "counting\n" {
		c.Process.Kill()
		t.Fatalf("%q, %v, %v", line, err, c.Wait())
	}
	return c
}

func calls(t *testing.T, s *Shelf) (n uint64) {
	t.Helper()
	all, _ := s.must(t)
	for _, a := range all {
		n += a.Wall.Count()
	}
	return n
}

// The calls that a killed process had counted are not lost.
func TestCallsOfAKilledProcessAreCounted(t *testing.T) {
	dir := t.TempDir()
	s := shelf(t, dir)
	c := start(t, dir)
	before := calls(t, s)
	if before < 1000 {
		t.Errorf("of 1000 calls %d are counted", before)
	}
	c.Process.Kill()
	c.Wait()
	after := calls(t, s)
	if again := calls(t, s); after < before || again != after {
		t.Errorf("%d before, %d after, %d again", before, after, again)
	}
	if left, err := os.ReadDir(filepath.Join(dir, directory)); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	if _, h := s.must(t); h != (Health{}) {
		t.Errorf("%+v", h)
	}
}

// Calls that were read stay counted after their book is truncated or
// overwritten.
func TestCallsOfADamagedBookStayCounted(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"empty":     func(file string) error { return os.Truncate(file, 0) },
		"short":     func(file string) error { return os.Truncate(file, int64(fileSize-1)) },
		"long":      func(file string) error { return os.Truncate(file, int64(fileSize+1)) },
		"zero":      func(file string) error { return overwrite(file, 0, make([]byte, page)) },
		"too many":  func(file string) error { return overwrite(file, 16, []byte{255, 255, 255, 255, 255, 255, 255, 127}) },
		"no record": func(file string) error { return overwrite(file, 16, make([]byte, 8)) },
		"removed":   os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := shelf(t, dir)
			b := open(t, dir)
			b.Recorder(Self(), "d", "d").Record("l", "f", vlibcall.Receipt{Wall: 5}, nil)
			before := calls(t, s)
			files, err := filepath.Glob(filepath.Join(dir, directory, "*"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			if err := spoil(files[0]); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if n := calls(t, s); n != before {
					t.Errorf("%d calls, before there were %d", n, before)
				}
			}
			_, h := s.must(t)
			if want := (Health{Rejected: 1}); name != "removed" && h != want {
				t.Errorf("%+v, want %+v", h, want)
			}
			b.Close()
			s.must(t)
			if left, err := os.ReadDir(filepath.Join(dir, directory)); err != nil || len(left) != 0 {
				t.Errorf("%v, %v", left, err)
			}
		})
	}
}

func overwrite(file string, at int64, b []byte) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, at)
	return err
}

// A file that becomes shorter while it is read is an error, not a signal.
func TestFileThatShrinksUnderTheReader(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(fileSize)); err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	h := headerOf(mem)
	h.magic, h.revision, h.size = magic, revision, uint32(recordSize)
	h.used.Store(capacity)
	if lines, err := readBook(mem); err != nil || len(lines) != capacity {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if err := f.Truncate(page); err != nil {
		t.Fatal(err)
	}
	if lines, err := readBook(mem); err == nil || lines != nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

// Other things that may be in the directory.
func TestOtherFilesAreRejectedOnce(t *testing.T) {
	dir := t.TempDir()
	s := shelf(t, dir)
	at := func(name string) string { return filepath.Join(dir, directory, name) }
	old := time.Now().Add(-2 * staleAfter)
	for _, err := range []error{
		unix.Mkfifo(at("fifo"+bookSuffix), 0o600),
		unix.Mkfifo(at(newPrefix+"fifo"), 0o600),
		os.Mkdir(at("folder"+bookSuffix), 0o700),
		os.Symlink("/dev/zero", at("link"+bookSuffix)),
		os.WriteFile(at("readme"), []byte("x"), 0o600),
		os.WriteFile(at(newPrefix+"young"), nil, 0o600),
		os.WriteFile(at(newPrefix+"old"), nil, 0o600),
		os.Chtimes(at(newPrefix+"old"), old, old),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, h := s.must(t); h != (Health{Rejected: 3}) {
			t.Errorf("%+v", h)
		}
	}
	for name, stays := range map[string]bool{"readme": true, newPrefix + "young": true, newPrefix + "old": false} {
		if _, err := os.Lstat(at(name)); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReadBook damages a book of one record: its header, the record's names,
// and one of its counters.
func FuzzReadBook(f *testing.F) {
	good := make([]byte, 24)
	binary.LittleEndian.PutUint64(good, magic)
	binary.LittleEndian.PutUint32(good[8:], revision)
	binary.LittleEndian.PutUint32(good[12:], uint32(recordSize))
	good[16] = 1
	f.Add(good, []byte("lib\x1b[2J\xff"), uint16(5), uint64(1)<<63)
	f.Add([]byte{}, []byte{}, uint16(0), uint64(0))
	mem := bytesOf(make([]uint64, (fileSize+7)/8))[:fileSize]
	f.Fuzz(func(t *testing.T, head, names []byte, at uint16, count uint64) {
		clear(mem[:page+recordSize])
		copy(mem[:page], head)
		r := recordOf(mem, 0)
		copy(mem[page:page+int(unsafe.Offsetof(r.words))], names)
		r.words[int(at)%wordCount].Store(count)
		lines, err := readBook(mem)
		if (err == nil) != (len(lines) > 0) {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		lines = lines[:min(len(lines), 2)] // all others are empty
		sums := totals{all: make(map[Key]*total)}
		seen := sums.add(nil, lines, time.Now())
		before := sums.accounts()
		sums.add(seen, lines, time.Now())
		for i, a := range sums.accounts() {
			if a.Wall.Count() != before[i].Wall.Count() {
				t.Fatal("what was read twice was counted twice")
			}
			for _, s := range []string{a.Comm, a.Domain, a.Name, a.Library, a.Function} {
				if strings.ToValidUTF8(s, "") != s || strings.ContainsAny(s, "\n\x1b\x00") {
					t.Fatalf("%q", s)
				}
			}
			if h := a.Wall; h.Count() > 0 && (h.Quantile(0.99) < 0 || h.Sum < 0) {
				t.Fatalf("%v, %v", h.Quantile(0.99), h.Sum)
			}
		}
	})
}
