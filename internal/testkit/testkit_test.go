// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestHoldsReturnsOnceTheStateIsReached(t *testing.T) {
	looks := 0
	if !Holds(func() bool { looks++; return looks == 3 }) || looks != 3 {
		t.Errorf("%d looks", looks)
	}
}

func TestOpenFileIsALeakUntilItIsClosed(t *testing.T) {
	before := Descriptors()
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if left := opened(before, Descriptors()); len(left) != 1 || !strings.Contains(left[0], os.Args[0]) {
		t.Errorf("open: %v", left)
	}
	f.Close()
	if err := leak(before); err != nil {
		t.Error(err)
	}
}

func TestFilesOfTheProcessAreNoLeak(t *testing.T) {
	after := map[string]string{"4": processFiles[0], "5": processFiles[1], "6": processFiles[1]}
	if left := opened(nil, after); len(left) != 1 {
		t.Errorf("of an epoll and two eventfds, %v are left; want one eventfd", left)
	}
}
