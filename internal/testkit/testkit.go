// SPDX-License-Identifier: Apache-2.0

// Package testkit has what the tests of all packages share: waiting for a
// state that no event announces, and the check that a test program leaves no
// goroutine and no file descriptor behind.
//
// It is for tests; no program imports it.
package testkit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Patience limits every wait of a test. It is long because the machine may be
// emulated and busy; a test that passes does not reach it.
const Patience = 3 * time.Minute

// pause is the time between two calls of a condition.
const pause = time.Millisecond

// Holds calls f until it returns true, and reports whether it did within
// [Patience].
func Holds(f func() bool) bool {
	for end := time.Now().Add(Patience); !f(); time.Sleep(pause) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// Eventually calls f until it returns true, and returns how long that took.
// After [Patience] it ends the test; what names the state that was not reached.
func Eventually(t testing.TB, what string, f func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	if !Holds(f) {
		t.Fatalf("not within %v: %s", Patience, what)
	}
	return time.Since(begin)
}

// Main is a package's TestMain: it runs the tests and exits. See [Run].
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run runs the tests and returns their exit status. It is 1 if all passed and
// left a goroutine or a file descriptor behind; standard error names what is
// left.
func Run(m *testing.M) int {
	before := Descriptors()
	status := m.Run()
	if status != 0 {
		return status
	}
	err := goleak.Find()
	if err == nil {
		err = leak(before)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// leak names the file descriptors that were not open before. Children that
// were killed may take a moment to close their ends, so it waits for a second.
func leak(before map[string]string) error {
	var left []string
	for range time.Second / pause {
		if left = opened(before, Descriptors()); len(left) == 0 {
			return nil
		}
		time.Sleep(pause)
	}
	return errors.New("file descriptors are left open: " + strings.Join(left, ", "))
}

// processFiles are opened once and live as long as the process: Go's runtime
// polls with the first two, the native transport signals with the third.
var processFiles = []string{"anon_inode:[eventpoll]", "anon_inode:[eventfd]", os.DevNull}

// opened returns the descriptors that are in after alone, sorted, without one
// of each of processFiles.
func opened(before, after map[string]string) []string {
	var left []string
	mine := slices.Clone(processFiles)
	for number, target := range after {
		if before[number] == target {
			continue
		}
		if i := slices.Index(mine, target); i >= 0 {
			mine = slices.Delete(mine, i, i+1)
			continue
		}
		left = append(left, number+" ("+target+")")
	}
	slices.Sort(left)
	return left
}

// Descriptors returns what each open file descriptor of the process refers to.
func Descriptors() map[string]string {
	paths, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		panic(err) // the pattern is malformed
	}
	open := make(map[string]string)
	for _, path := range paths {
		if target, err := os.Readlink(path); err == nil { // else closed since, as the listing's own is
			open[filepath.Base(path)] = target
		}
	}
	return open
}
