// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package grant

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLabRequestsOverALimitNameIt(t *testing.T) {
	a, m := allocator(t), mapper(t)
	limit, ok := readLimit(allocLimitPath)
	if !ok {
		t.Fatal("the module's limit cannot be read")
	}
	wantLimit := func(err error, parameter string, limit uint64) {
		t.Helper()
		var l *LimitError
		if !errors.Is(err, ErrLimit) || !errors.As(err, &l) || l.Parameter != parameter || l.Limit != limit {
			t.Errorf("%v; want the limit %d of %s", err, limit, parameter)
		}
	}
	_, err := a.Alloc(0, int(limit)+1, true)
	wantLimit(err, allocLimitPath, limit)
	all, err := a.Alloc(0, int(limit), true)
	check(t, err)
	_, err = a.Alloc(0, 1, true) // the module's limit, not the request's
	wantLimit(err, allocLimitPath, limit)
	t.Log(err)
	check(t, all.Free())
	one, err := a.Alloc(0, 1, true)
	check(t, err)
	check(t, one.Free())
	for _, pages := range []int{0, -1} {
		if _, err := a.Alloc(0, pages, true); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d pages: %v", pages, err)
		}
	}

	mapLimit, ok := readLimit(mapLimitPath)
	if !ok {
		t.Fatal("the module's limit cannot be read")
	}
	refs := make([]uint32, mapLimit+1)
	_, err = m.Map(0, refs, true, nil)
	wantLimit(err, mapLimitPath, mapLimit)
	// This package's check agrees with the kernel's.
	if _, err := m.reserve(0, refs); !errors.Is(err, unix.EINVAL) {
		t.Errorf("the kernel took %d references: %v", len(refs), err)
	}
	index, err := m.reserve(0, refs[:mapLimit])
	check(t, err)
	check(t, m.forget(index, int(mapLimit)))
}

func TestLabRaisedLimitCounts(t *testing.T) {
	old, err := os.ReadFile(allocLimitPath)
	check(t, err)
	check(t, os.WriteFile(allocLimitPath, []byte("2048"), 0))
	defer func() { check(t, os.WriteFile(allocLimitPath, old, 0)) }()
	p, err := allocator(t).Alloc(0, 2048, true)
	check(t, err)
	check(t, p.Free())
}

func TestLabRoundsLeaveNothing(t *testing.T) {
	round := func(i int) {
		a, err := OpenAllocator()
		check(t, err)
		m, err := OpenMapper()
		check(t, err)
		pages, err := a.Alloc(0, 4, true)
		check(t, err)
		mapping, err := m.Map(0, pages.Refs(), true, &Notify{Clear: true, Offset: 1})
		check(t, err)
		var local [pageSize]byte
		check(t, m.Copy(0, []Segment{{Ref: pages.Refs()[3], Local: local[:]}}))
		if i%20 == 0 { // slower than the rest by several times
			_, err = m.Map(0, []uint32{pages.Refs()[0], 54321}, true, nil)
			wantRef(t, err, 0, 54321, StatusBadRef)
		}
		check(t, mapping.Unmap())
		check(t, pages.Free())
		check(t, m.Close())
		check(t, a.Close())
	}
	round(0)
	before := count(t, "/proc/self/fd")
	maps := count(t, "/proc/self/map_files")
	for i := range 1000 {
		round(i)
	}
	if after := count(t, "/proc/self/fd"); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if after := count(t, "/proc/self/map_files"); after > maps+20 { // the Go heap may grow
		t.Errorf("%d mappings before, %d after", maps, after)
	}
	// No grant is left behind: the module's whole limit can be allocated.
	limit, _ := readLimit(allocLimitPath)
	all, err := allocator(t).Alloc(0, int(limit), true)
	check(t, err)
	check(t, all.Free())
}

func count(t *testing.T, path string) int {
	t.Helper()
	entries, err := os.ReadDir(path)
	check(t, err)
	return len(entries)
}
