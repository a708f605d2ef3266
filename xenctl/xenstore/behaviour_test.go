// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// behaviour tests the client's properties with any daemon: with the one in
// xenstoretest and, in the lab, with the real one over both transports. Paths
// are relative to root, which is the test's own.
func behaviour(t *testing.T, open func(t *testing.T) *Client) {
	const root = "data/vlibos-test"
	for name, f := range map[string]func(t *testing.T, open func(t *testing.T) *Client, root string){
		"values":       testValues,
		"directory":    testDirectory,
		"permissions":  testPermissions,
		"domains":      testDomains,
		"watch":        testWatch,
		"transaction":  testTransaction,
		"conflict":     testConflict,
		"many at once": testManyAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			check(t, c.Mkdir(within(t), root)) // so that its parent exists
			check(t, c.Remove(within(t), root))
			f(t, open, root)
			check(t, c.Remove(within(t), root))
		})
	}
}

func testValues(t *testing.T, open func(t *testing.T) *Client, root string) {
	c, ctx := open(t), within(t)
	_, err := c.Read(ctx, root+"/a")
	wantError(t, err, fs.ErrNotExist)
	wantError(t, err, unix.ENOENT)
	value := make([]byte, 1500)
	for i := range value {
		value[i] = byte(i) // including NULs
	}
	check(t, c.Write(ctx, root+"/a/b/c", value))
	got, err := c.Read(ctx, root+"/a/b/c")
	check(t, err)
	if !slices.Equal(got, value) {
		t.Errorf("read %d bytes % x…", len(got), got[:min(len(got), 16)])
	}
	got, err = c.Read(ctx, root+"/a/b")
	if err != nil || len(got) != 0 {
		t.Errorf("a node made on the way has value %q, %v", got, err)
	}
	check(t, c.Write(ctx, root+"/a/b/c", nil))
	if got, err = c.Read(ctx, root+"/a/b/c"); err != nil || len(got) != 0 {
		t.Errorf("an empty value came back as %q, %v", got, err)
	}
	check(t, c.Mkdir(ctx, root+"/d"))
	check(t, c.Mkdir(ctx, root+"/d"))
	check(t, c.Remove(ctx, root+"/a"))
	_, err = c.Read(ctx, root+"/a/b/c")
	wantError(t, err, fs.ErrNotExist)
	check(t, c.Remove(ctx, root+"/a"))

	for _, path := range []string{"", "a\x00b"} {
		_, err := c.Read(ctx, path)
		wantError(t, err, unix.EINVAL)
	}
	_, err = c.Read(ctx, "//")
	wantError(t, err, unix.EINVAL)
	wantError(t, c.Write(ctx, root+"/a", make([]byte, 5000)), unix.E2BIG)
}

func testDirectory(t *testing.T, open func(t *testing.T) *Client, root string) {
	c, ctx := open(t), within(t)
	_, err := c.Directory(ctx, root)
	wantError(t, err, fs.ErrNotExist)
	check(t, c.Mkdir(ctx, root))
	if names, err := c.Directory(ctx, root); err != nil || len(names) != 0 {
		t.Errorf("an empty node has children %q, %v", names, err)
	}
	var want []string
	for i := range 120 { // 12 KiB of names: four messages
		name := fmt.Sprintf("%03d-%s", i, strings.Repeat("x", 100))
		check(t, c.Write(ctx, root+"/"+name, nil))
		want = append(want, name)
	}
	names, err := c.Directory(ctx, root)
	check(t, err)
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Errorf("%d names, want %d", len(names), len(want))
	}
}

func testPermissions(t *testing.T, open func(t *testing.T) *Client, root string) {
	c, ctx := open(t), within(t)
	check(t, c.Mkdir(ctx, root))
	want := []Permission{{0, AccessNone}, {7, AccessRead}, {8, AccessBoth}, {9, AccessWrite}}
	check(t, c.SetPermissions(ctx, root, want...))
	got, err := c.GetPermissions(ctx, root)
	check(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("permissions %v, want %v", got, want)
	}
	_, err = c.GetPermissions(ctx, root+"/absent")
	wantError(t, err, fs.ErrNotExist)
	wantError(t, c.SetPermissions(ctx, root), unix.EINVAL)
	wantError(t, c.SetPermissions(ctx, root, Permission{0, 'x'}), unix.EINVAL)
}

func testDomains(t *testing.T, open func(t *testing.T) *Client, _ string) {
	c, ctx := open(t), within(t)
	if path, err := c.GetDomainPath(ctx, 42); err != nil || path != "/local/domain/42" {
		t.Errorf("home %q, %v", path, err)
	}
	for domid, want := range map[uint16]bool{0: true, 4242: false} {
		if got, err := c.IsDomainIntroduced(ctx, domid); err != nil || got != want {
			t.Errorf("domain %d introduced: %v, %v", domid, got, err)
		}
	}
}

func testWatch(t *testing.T, open func(t *testing.T) *Client, root string) {
	c, other, ctx := open(t), open(t), within(t)
	w, err := c.Watch(ctx, root)
	check(t, err)
	defer w.Close()
	next := func(w *Watch, want string) {
		t.Helper()
		e, err := w.Next(ctx)
		if err != nil || e.Resync || e.Path != want {
			t.Fatalf("event %+v, %v; want %s", e, err, want)
		}
	}
	next(w, root)
	check(t, other.Write(ctx, root+"/a", []byte("1")))
	e, err := w.Next(ctx)
	check(t, err)
	if e.Path == root { // the real daemon reports the new parent first
		e, err = w.Next(ctx)
		check(t, err)
	}
	if e.Path != root+"/a" {
		t.Fatalf("event %+v", e)
	}
	check(t, c.Write(ctx, root+"/a", []byte("2")))
	next(w, root+"/a")

	// Two watches of the same node are independent, and a closed one is silent.
	w2, err := c.Watch(ctx, root+"/a")
	check(t, err)
	next(w2, root+"/a")
	check(t, w2.Close())
	check(t, other.Write(ctx, root+"/a", []byte("3")))
	next(w, root+"/a")
	if e, err := w2.Next(ctx); err == nil {
		t.Errorf("a closed watch has event %+v", e)
	}
	w3, err := c.Watch(ctx, "@releaseDomain")
	check(t, err)
	next(w3, "@releaseDomain")
	check(t, w3.Close())
}

func testTransaction(t *testing.T, open func(t *testing.T) *Client, root string) {
	c, other, ctx := open(t), open(t), within(t)
	var ended *Tx
	check(t, c.Transaction(ctx, func(tx *Tx) error {
		ended = tx
		check(t, tx.Write(ctx, root+"/a", []byte("1")))
		check(t, tx.Write(ctx, root+"/b", []byte("2")))
		if got, err := tx.Read(ctx, root+"/a"); err != nil || string(got) != "1" {
			t.Errorf("within: %q, %v", got, err)
		}
		_, err := other.Read(ctx, root+"/a")
		wantError(t, err, fs.ErrNotExist) // not yet
		return nil
	}))
	if got, err := other.Read(ctx, root+"/b"); err != nil || string(got) != "2" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
	wantError(t, ended.Write(ctx, root+"/a", nil), fs.ErrClosed)

	failure := errors.New("changed my mind")
	err := c.Transaction(ctx, func(tx *Tx) error {
		check(t, tx.Remove(ctx, root))
		return failure
	})
	if err != failure {
		t.Errorf("error %v, want fn's own", err)
	}
	if _, err := other.Read(ctx, root+"/a"); err != nil {
		t.Errorf("an aborted transaction had an effect: %v", err)
	}
}

func testConflict(t *testing.T, open func(t *testing.T) *Client, root string) {
	c, other, ctx := open(t), open(t), within(t)
	check(t, c.Write(ctx, root+"/n", []byte("0")))
	runs := 0
	check(t, c.Transaction(ctx, func(tx *Tx) error {
		got, err := tx.Read(ctx, root+"/n")
		check(t, err)
		if runs++; runs <= 3 {
			check(t, other.Write(ctx, root+"/n", fmt.Append(nil, runs)))
		}
		return tx.Write(ctx, root+"/n", append(got, '!'))
	}))
	got, err := c.Read(ctx, root+"/n")
	if err != nil || string(got) != "3!" || runs != 4 {
		t.Errorf("%q after %d runs, %v", got, runs, err)
	}
}

// Counters: each goroutine has one node, and all share one.
func testManyAtOnce(t *testing.T, open func(t *testing.T) *Client, root string) {
	c, ctx := open(t), within(t)
	const users, rounds = 16, 10
	var all sync.WaitGroup
	for u := range users {
		all.Go(func() {
			path := fmt.Sprintf("%s/%d", root, u)
			for i := range rounds {
				want := fmt.Sprintf("%d of %d", i, u)
				if err := c.Write(ctx, path, []byte(want)); err != nil {
					t.Error(err)
					return
				}
				if got, err := c.Read(ctx, path); err != nil || string(got) != want {
					t.Errorf("%q, %v; want %q", got, err, want)
					return
				}
			}
		})
	}
	all.Wait()
	names, err := c.Directory(ctx, root)
	if err != nil || len(names) != users {
		t.Errorf("%q, %v", names, err)
	}
}
