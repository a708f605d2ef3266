// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var about = About{What: "a test", Xen: "4.17.5", Kernel: "6.1.0"}

func create(t *testing.T, s *Store, key string, state []byte) {
	t.Helper()
	err := s.Create(key, about, func(f *os.File) error {
		_, err := f.Write(state)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T, s *Store) string {
	t.Helper()
	entries, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var out string
	for _, e := range entries {
		out += e.Key
	}
	return out
}

func TestOpenReturnsWhatWasSaved(t *testing.T) {
	s := &Store{Dir: filepath.Join(t.TempDir(), "saved"), Limit: 1 << 20}
	if _, err := s.Open("k"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	state := bytes.Repeat([]byte("state"), 10000)
	create(t, s, "k", []byte("an older one"))
	create(t, s, "k", state)
	m, err := s.Open("k")
	if err != nil {
		t.Fatal(err)
	}
	defer m.File.Close()
	if got, err := io.ReadAll(m.File); err != nil || !bytes.Equal(got, state) || m.About != about {
		t.Errorf("%d bytes about %+v, %v", len(got), m.About, err)
	}
	if err := s.RemoveAll(); err != nil || keys(t, s) != "" {
		t.Errorf("after RemoveAll: %q, %v", keys(t, s), err)
	}
	// An open file stays readable.
	if _, err := m.File.ReadAt(make([]byte, len(state)), headerBytes); err != nil {
		t.Error(err)
	}
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	s := &Store{Dir: t.TempDir(), Limit: 1 << 20}
	create(t, s, "k", []byte("the state of a machine"))
	whole, err := os.ReadFile(s.path("k"))
	if err != nil {
		t.Fatal(err)
	}
	damage := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(s.path("k"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := s.Open("k")
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, %v", what, m, err)
		}
		if _, err := os.Stat(s.path("k")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the file is still there", what)
		}
	}
	for i := range whole {
		data := bytes.Clone(whole)
		data[i] ^= 1 << (i % 8)
		damage(fmt.Sprintf("byte %d flipped", i), data)
	}
	for n := 0; n < len(whole); n += 97 {
		damage(fmt.Sprintf("cut off at %d", n), whole[:n])
	}
	damage("too long", append(bytes.Clone(whole), 0))
	// The file of another machine under this name is damaged.
	create(t, s, "other", []byte("x"))
	other, err := os.ReadFile(s.path("other"))
	if err != nil {
		t.Fatal(err)
	}
	damage("another machine's", other)
}

func TestFailedSaveLeavesNoFile(t *testing.T) {
	s := &Store{Dir: t.TempDir(), Limit: 1 << 20}
	full := errors.New("no space left")
	err := s.Create("k", about, func(f *os.File) error {
		f.WriteString("half")
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestMachineUnusedForLongestIsRemovedFirst(t *testing.T) {
	size := int64(headerBytes + 100)
	s := &Store{Dir: t.TempDir(), Limit: 3 * size}
	for i, key := range []string{"a", "b", "c"} {
		create(t, s, key, make([]byte, 100))
		then := time.Now().Add(time.Duration(i-10) * time.Minute)
		if err := os.Chtimes(s.path(key), then, then); err != nil {
			t.Fatal(err)
		}
	}
	m, err := s.Open("a") // now the last used
	if err != nil {
		t.Fatal(err)
	}
	m.File.Close()
	dead, young := filepath.Join(s.Dir, partial+"dead"), filepath.Join(s.Dir, partial+"young")
	for _, name := range []string{dead, young} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-2 * partialLife)
	if err := os.Chtimes(dead, then, then); err != nil {
		t.Fatal(err)
	}
	create(t, s, "d", make([]byte, 100))
	if got := keys(t, s); got != "dac" {
		t.Errorf("left: %q, want d, a and c", got)
	}
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of a dead process is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the file that another process writes is gone: %v", err)
	}
	// A machine larger than the limit is the only one that stays.
	create(t, s, "e", make([]byte, 4*size))
	if got := keys(t, s); got != "e" {
		t.Errorf("left: %q, want e", got)
	}
}

func TestFolderMayHaveAnyName(t *testing.T) {
	s := &Store{Dir: filepath.Join(t.TempDir(), "[a-b]*"), Limit: 1 << 20}
	create(t, s, "k", []byte("x"))
	if got := keys(t, s); got != "k" {
		t.Errorf("listed: %q, want k", got)
	}
}

func TestNoOlderMachineStaysWhenOneIsRemoved(t *testing.T) {
	s := &Store{Dir: t.TempDir(), Limit: 5 * headerBytes}
	for i, m := range []struct {
		key  string
		size int
	}{{"small", 1}, {"large", 2 * headerBytes}} {
		create(t, s, m.key, make([]byte, m.size))
		then := time.Now().Add(time.Duration(i-10) * time.Minute)
		if err := os.Chtimes(s.path(m.key), then, then); err != nil {
			t.Fatal(err)
		}
	}
	create(t, s, "new", make([]byte, 2*headerBytes))
	if got := keys(t, s); got != "new" {
		t.Errorf("left: %q, want new: the small one was used before the large one", got)
	}
}
