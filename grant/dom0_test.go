// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package grant

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"
)

// These tests run in the lab's Dom0, which grants to itself.

func mapper(t *testing.T) *Mapper {
	t.Helper()
	m, err := OpenMapper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, m.Close()) })
	return m
}

func allocator(t *testing.T) *Allocator {
	t.Helper()
	a, err := OpenAllocator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, a.Close()) })
	return a
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// alloc allocates pages whose tested bytes all differ.
func alloc(t *testing.T, a *Allocator, pages int, writable bool) *Pages {
	t.Helper()
	p, err := a.Alloc(0, pages, writable)
	check(t, err)
	t.Cleanup(func() { check(t, p.Free()) })
	for i, b := range p.Bytes() {
		if b != 0 {
			t.Fatalf("byte %d of a new page is %d", i, b)
		}
		p.Bytes()[i] = byte(i*7 + i>>12)
	}
	return p
}

func mapPages(t *testing.T, m *Mapper, p *Pages, writable bool, n *Notify) *Mapping {
	t.Helper()
	mapping, err := m.Map(0, p.Refs(), writable, n)
	check(t, err)
	t.Cleanup(func() { check(t, mapping.Unmap()) })
	return mapping
}

func TestLabWritesAreSeenOnBothSides(t *testing.T) {
	a, m := allocator(t), mapper(t)
	pages := alloc(t, a, 3, true)
	mapping := mapPages(t, m, pages, true, nil)
	if !bytes.Equal(mapping.Bytes(), pages.Bytes()) {
		t.Fatal("the mapping shows something else")
	}
	mapping.Bytes()[2*pageSize+17] ^= 0xff
	pages.Bytes()[5] ^= 0xff
	if !bytes.Equal(mapping.Bytes(), pages.Bytes()) {
		t.Error("a later write is not seen")
	}
	check(t, mapping.Unmap())
	check(t, mapping.Unmap())
	if mapping.Bytes() != nil {
		t.Error("an unmapped mapping has bytes")
	}
	check(t, pages.Free())
	check(t, pages.Free())
	if err := mapping.SetNotify(Notify{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("notification of an unmapped mapping: %v", err)
	}
	if err := pages.SetNotify(Notify{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("notification of freed pages: %v", err)
	}
}

func TestLabPagesAreInOrderOfReferences(t *testing.T) {
	a, m := allocator(t), mapper(t)
	x, y := alloc(t, a, 1, true), alloc(t, a, 1, true)
	x.Bytes()[0], y.Bytes()[0] = 'x', 'y'
	mapping, err := m.Map(0, []uint32{y.Refs()[0], x.Refs()[0]}, false, nil)
	check(t, err)
	defer mapping.Unmap()
	if b := mapping.Bytes(); b[0] != 'y' || b[pageSize] != 'x' {
		t.Errorf("pages begin with %q and %q", b[0], b[pageSize])
	}
}

func TestLabCopyIsASnapshot(t *testing.T) {
	a, m := allocator(t), mapper(t)
	pages := alloc(t, a, 300, false) // more than one batch
	got := make([]byte, len(pages.Bytes()))
	var segments []Segment
	for i, ref := range pages.Refs() {
		segments = append(segments, Segment{Ref: ref, Local: got[i*pageSize : (i+1)*pageSize]})
	}
	check(t, m.Copy(0, segments))
	if !bytes.Equal(got, pages.Bytes()) {
		t.Fatal("the copy differs")
	}
	// A part of a page, into memory that crosses a page boundary.
	piece := make([]byte, 3*pageSize)[pageSize-5:][:1000]
	check(t, m.Copy(0, []Segment{{Ref: pages.Refs()[1], Offset: 3000, Local: piece}}))
	if !bytes.Equal(piece, pages.Bytes()[pageSize+3000:][:1000]) {
		t.Error("the piece differs")
	}
	pages.Bytes()[0]++
	if got[0] == pages.Bytes()[0] {
		t.Error("the copy followed a later write")
	}
	mapping := mapPages(t, m, pages, false, nil)
	err := m.Copy(0, []Segment{{Ref: pages.Refs()[0], Local: mapping.Bytes()[:8]}})
	if err == nil {
		t.Error("copied into granted memory")
	}
	t.Log(err)
}

func wantRef(t *testing.T, err error, domid uint16, ref uint32, status Status) {
	t.Helper()
	var r *RefError
	if !errors.As(err, &r) || r.Domain != domid || r.Ref != ref || r.Status != status {
		t.Errorf("%v; want reference %d of domain %d: %v", err, ref, domid, status)
	}
}

func TestLabRefusedPagesAreNamed(t *testing.T) {
	a, m := allocator(t), mapper(t)
	good, readOnly := alloc(t, a, 2, true).Refs(), alloc(t, a, 1, false).Refs()
	const bad = 12345
	_, err := m.Map(0, []uint32{good[0], bad, good[1]}, true, nil)
	wantRef(t, err, 0, bad, StatusBadRef)
	_, err = m.Map(0, []uint32{good[0], 1 << 31}, false, nil)
	wantRef(t, err, 0, 1<<31, StatusBadRef)
	_, err = m.Map(999, good, false, nil)
	wantRef(t, err, 999, good[0], StatusBadDomain)
	_, err = m.Map(0, []uint32{good[0], readOnly[0]}, true, nil)
	wantRef(t, err, 0, readOnly[0], StatusPermissionDenied)
	t.Log(err)

	var sink [8]byte
	err = m.Copy(0, []Segment{{Ref: good[0], Local: sink[:]}, {Ref: bad, Local: sink[:]}})
	wantRef(t, err, 0, bad, StatusBadRef)
	err = m.Copy(999, []Segment{{Ref: good[0], Local: sink[:]}})
	wantRef(t, err, 999, good[0], StatusBadDomain)

	// The refused mapping left nothing mapped: the good pages can be freed.
	mapping, err := m.Map(0, append(good, readOnly...), false, nil)
	check(t, err)
	check(t, mapping.Unmap())
}

func TestLabClosedDeviceRefusesAndItsMemoryStays(t *testing.T) {
	a, m := allocator(t), mapper(t)
	pages := alloc(t, a, 2, true)
	mapping := mapPages(t, m, pages, true, nil)
	check(t, m.Close())
	mapping.Bytes()[0] = 42
	if _, err := m.Map(0, pages.Refs(), true, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Map after Close: %v", err)
	}
	check(t, a.Close())
	if pages.Bytes()[0] != 42 {
		t.Error("memory does not outlive its device's handle")
	}
	if _, err := a.Alloc(0, 1, true); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Alloc after Close: %v", err)
	}
	check(t, mapping.Unmap())
	check(t, pages.Free())
}

// A process that has mapped a page can use it after the grant is revoked. The
// kernel does not reuse the page before it is unmapped.
func TestLabRevokedPageStaysUntilUnmapped(t *testing.T) {
	a, m := allocator(t), mapper(t)
	pages := alloc(t, a, 1, true)
	ref := pages.Refs()[0]
	mapping := mapPages(t, m, pages, true, nil)
	mapping.Bytes()[0] = 11
	check(t, pages.Free())
	for range 20 {
		if mapping.Bytes()[0] != 11 {
			t.Fatal("the page changed")
		}
		other := alloc(t, a, 50, true) // would reuse a page that is free
		check(t, other.Free())
	}
	mapping.Bytes()[0] = 12
	check(t, mapping.Unmap())
	// The kernel checks about once a second for grants that are no longer used.
	deadline := time.Now().Add(30 * time.Second)
	for {
		again, err := m.Map(0, []uint32{ref}, false, nil)
		if err != nil {
			wantRef(t, err, 0, ref, StatusGeneralError)
			return
		}
		check(t, again.Unmap())
		if time.Now().After(deadline) {
			t.Fatal("a freed grant can still be mapped")
		}
		time.Sleep(100 * time.Millisecond)
	}
}
