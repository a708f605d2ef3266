// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOpenWithoutXenNamesTheModule(t *testing.T) {
	if _, err := os.Stat("/dev/xen/privcmd"); err == nil {
		t.Skip("this is a Xen domain; the lab tests cover it")
	}
	_, err := Open()
	var op *OpError
	if !errors.As(err, &op) || !errors.Is(err, ErrNotSupported) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(err.Error(), "xen-privcmd") {
		t.Errorf("error %q does not name the module", err)
	}
}

func TestErrorsAreDistinct(t *testing.T) {
	sentinels := []error{ErrNotSupported, fs.ErrPermission, ErrNoDomain, ErrBroken}
	for errno, want := range map[unix.Errno]error{
		unix.ENOSYS: ErrNotSupported, unix.EOPNOTSUPP: ErrNotSupported,
		unix.EPERM: fs.ErrPermission, unix.EACCES: fs.ErrPermission,
		unix.ESRCH: ErrNoDomain, unix.EFAULT: ErrBroken, unix.EINVAL: nil,
	} {
		err := opError("test", errno)
		if !errors.Is(err, errno) {
			t.Errorf("%v lost its errno", err)
		}
		for _, s := range sentinels {
			if errors.Is(err, s) != (s == want) {
				t.Errorf("%v: is %q: %v", err, s, errors.Is(err, s))
			}
		}
	}
	if opError("test", nil) != nil {
		t.Error("no error became one")
	}
}

func TestRecordBecomesPublic(t *testing.T) {
	raw := getDomainInfo{
		domain: 7, flags: infoShutdown | infoPaused | infoHVM | 3<<infoShutdownShift,
		totalPages: 100, cpuTime: 1500, onlineVCPUs: 2, maxVCPUID: 1,
	}
	got := raw.public()
	if got.ID != 7 || !got.Shutdown || !got.Paused || !got.HVM || got.Running || got.Dying ||
		got.ShutdownReason != ShutdownCrash || got.TotalPages != 100 ||
		got.CPUTime != 1500*time.Nanosecond || got.OnlineVCPUs != 2 || got.MaxVCPUID != 1 {
		t.Errorf("%+v", got)
	}
	raw.maxVCPUID = ^uint32(0)
	if id := raw.public().MaxVCPUID; id != -1 {
		t.Errorf("a domain without vCPUs has highest number %d", id)
	}
}

func TestCStringEndsAtTheFirstNUL(t *testing.T) {
	for in, want := range map[string]string{"": "", "a\x00b": "a", "abc": "abc", "\x00": ""} {
		if got := cString([]byte(in)); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestBuffersAreZeroedAndReused(t *testing.T) {
	mem, err := lockedMemory(bufferSize)
	if err != nil {
		t.Fatal(err)
	}
	p := bufferPool{free: []*buffer{{mem: mem}}}
	b, err := p.get()
	if err != nil {
		t.Fatal(err)
	}
	b.mem[bufferSize-1] = 1
	p.put(b)
	if b, _ = p.get(); b.mem[bufferSize-1] != 0 {
		t.Error("a buffer came back with the last call's data")
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
	p.put(b) // a call that ends after Close frees its buffer
	if _, err := p.get(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("get after close: %v", err)
	}
}
