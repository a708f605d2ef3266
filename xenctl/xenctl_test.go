// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"
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

func TestAcceptedVersionOfXenIsFound(t *testing.T) {
	speaks := func(v uint32, answer error) func(uint32) error {
		return func(asked uint32) error {
			if asked == v {
				return answer
			}
			return unix.EACCES
		}
	}
	for _, tt := range []struct {
		ask  func(uint32) error
		want uint32
	}{
		{speaks(0x17, nil), 0x17},
		{speaks(0x17, unix.EPERM), 0x17}, // the version was right, the caller was not
		{speaks(lastInterface, nil), lastInterface},
		{speaks(lastInterface+1, nil), 0},
	} {
		if got := acceptedVersion(tt.ask); got != tt.want {
			t.Errorf("version %#x, want %#x", got, tt.want)
		}
	}
}

func TestVersionErrorNamesBoth(t *testing.T) {
	err := opError("pause domain 3", fmt.Errorf("%w", &VersionError{Interface: "domctl", Ours: 0x15, Xens: 0x17, Release: "4.20"}))
	var v *VersionError
	if !errors.As(err, &v) {
		t.Fatal("no VersionError inside")
	}
	for _, part := range []string{"domctl", "0x15", "0x17", "4.20", "4.17"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
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
