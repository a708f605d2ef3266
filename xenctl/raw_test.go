// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/xendev"
)

// refusing is a handle on a device that refuses every hypercall.
func refusing(t *testing.T) *Handle {
	t.Helper()
	dev, err := xendev.Open("/dev/zero", "")
	if err != nil {
		t.Fatal(err)
	}
	h := &Handle{privcmd: dev}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestHypercallAllocatesNothing(t *testing.T) {
	h := refusing(t)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := h.Hypercall(1, [5]uint64{2, 3}); err != unix.ENOTTY {
			t.Fatalf("%v, want ENOTTY", err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a hypercall", n)
	}
}

func TestHypercallMemoryIsCopiedBack(t *testing.T) {
	h := refusing(t)
	mem := []byte("not touched")
	if _, err := h.HypercallMemory(1, [5]uint64{}, 3, mem); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("%v, want ENOTTY", err)
	}
	if !bytes.Equal(mem, []byte("not touched")) {
		t.Errorf("memory came back as %q", mem)
	}
	for _, bad := range []struct {
		at   int
		size int
	}{{-1, 8}, {5, 8}, {0, bufferSize + 1}} {
		if _, err := h.HypercallMemory(1, [5]uint64{}, bad.at, make([]byte, bad.size)); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
