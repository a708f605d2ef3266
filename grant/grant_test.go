// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStatusNamesEveryCode(t *testing.T) {
	for s := StatusNoSpace; s <= StatusOkay; s++ {
		if !strings.Contains(s.String(), "GNTST_") {
			t.Errorf("status %d is %q", int16(s), s)
		}
	}
	for _, s := range []Status{1, StatusNoSpace - 1, -32768, 32767} {
		if !strings.Contains(s.String(), "unknown") {
			t.Errorf("status %d is %q", int16(s), s)
		}
	}
}

func TestLimitErrorNamesTheWayOut(t *testing.T) {
	err := opError("allocate", &LimitError{Parameter: allocLimitPath, Limit: 1024, Wanted: 4096})
	if !errors.Is(err, ErrLimit) {
		t.Error("not ErrLimit")
	}
	for _, part := range []string{allocLimitPath, "1024", "4096"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

func TestLimitIsReadFromItsParameter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "limit")
	for content, want := range map[string]struct {
		limit uint64
		ok    bool
	}{"1024\n": {1024, true}, "x\n": {}, "-1\n": {}, "": {}} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if limit, ok := readLimit(path); ok != want.ok || ok && limit != want.limit {
			t.Errorf("%q: %d, %v", content, limit, ok)
		}
	}
	if _, ok := readLimit(filepath.Join(dir, "absent")); ok {
		t.Error("an absent limit was read")
	}
}

func TestCopyRefusesSegmentsAcrossPages(t *testing.T) {
	m := &Mapper{} // the check precedes any use of the device
	for _, s := range []Segment{
		{Offset: -1, Local: make([]byte, 1)},
		{Offset: 0, Local: nil},
		{Offset: 0, Local: make([]byte, pageSize+1)},
		{Offset: pageSize, Local: make([]byte, 1)},
		{Offset: pageSize - 3, Local: make([]byte, 4)},
	} {
		err := m.Copy(1, []Segment{s})
		var op *OpError
		if !errors.Is(err, unix.EINVAL) || !errors.As(err, &op) {
			t.Errorf("offset %d, %d bytes: %v", s.Offset, len(s.Local), err)
		}
	}
}

func TestMapRefusesImpossibleRequests(t *testing.T) {
	m := &Mapper{}
	if _, err := m.Map(1, nil, true, nil); !errors.Is(err, unix.EINVAL) {
		t.Errorf("no references: %v", err)
	}
	if _, err := m.Map(1, []uint32{8}, false, &Notify{Clear: true}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("clear a byte of a read-only mapping: %v", err)
	}
}

func TestNotifyOffsetStaysInside(t *testing.T) {
	for _, offset := range []int{-1, 2 * pageSize, 1 << 40} {
		if err := setNotify(nil, ioctlMapNotify, 0, 2, Notify{Clear: true, Offset: offset}); !errors.Is(err, unix.EINVAL) {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
}
