// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// rogue listens as a domain's server, and passes connections to welcome.
func (h *fakeHost) rogue(name string, welcome func(conn *net.UnixConn, hello []byte) (keep []int)) {
	h.t.Helper()
	dir := filepath.Join(h.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: native.Socket(dir, 1), Net: "unixpacket"})
	if err != nil {
		h.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			defer conn.Close()
			hello := make([]byte, 100)
			if n, err := conn.Read(hello); err == nil {
				for _, fd := range welcome(conn, hello[:n]) {
					defer unix.Close(fd)
				}
			}
		}
	}()
	h.t.Cleanup(func() {
		l.Close()
		<-done
	})
}

// deaf offers a channel whose events block the process that signals them, and serves
// nothing in it.
func deaf(t *testing.T) func(conn *net.UnixConn, hello []byte) []int {
	return func(conn *net.UnixConn, hello []byte) []int {
		size, generation := binary.LittleEndian.Uint64(hello[8:]), binary.LittleEndian.Uint64(hello[16:])
		memory, err := unix.MemfdCreate("rogue", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err == nil {
			err = unix.Ftruncate(memory, int64(size))
		}
		if err == nil {
			_, err = unix.FcntlInt(uintptr(memory), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
		}
		fds := []int{memory}
		for range 2 {
			fd, eerr := unix.Eventfd(0, unix.EFD_CLOEXEC)
			_, werr := unix.Write(fd, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
			fds, err = append(fds, fd), errors.Join(err, eerr, werr)
		}
		page, merr := unix.Mmap(memory, 0, transport.HeaderSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err := errors.Join(err, merr); err != nil {
			t.Error(err)
			return fds
		}
		defer unix.Munmap(page)
		if err := transport.Format(page, int(size), generation); err != nil {
			t.Error(err)
		}
		conn.WriteMsgUnix(make([]byte, 8), unix.UnixRights(fds...), nil)
		return fds
	}
}

// A server that sends lies, or nothing, costs its callers their timeout. Calls
// of others continue, and the gateway can end.
func TestRoguesCostTheirCallersOnly(t *testing.T) {
	for name, welcome := range map[string]func(conn *net.UnixConn, hello []byte) []int{
		"deaf":   deaf(t),
		"silent": func(*net.UnixConn, []byte) []int { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, nil)
			h.vlibOS("web", nil)
			h.rogue("bad", welcome)
			h.configure(nil, mine("web", testkit.Patience), mine("bad", 200*ms))
			good := h.client("web", 0)
			for range 3 {
				bad := h.client("bad", 0).Go(t.Context(), "t", "echo", nil, nil)
				for range 20 {
					h.echoes(good)
				}
				if _, err := bad.Result(); !errors.Is(err, vlibcall.ErrTimeout) {
					t.Error(err)
				}
			}
		})
	}
}
