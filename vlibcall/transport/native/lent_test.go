// SPDX-License-Identifier: Apache-2.0

package native

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// hold opens and closes a channel step by step. It returns the channel's
// memory, which a client can keep, and the server's watch over it.
func hold(t *testing.T, dir string, d *door) (memory int, _ *Lent) {
	t.Helper()
	conn, err := connect(t.Context(), Socket(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	hello := binary.LittleEndian.AppendUint64(nil, uint64(transport.Revision))
	hello = binary.LittleEndian.AppendUint64(hello, rogueSize)
	hello = binary.LittleEndian.AppendUint64(hello, 1)
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	oob := make([]byte, unix.CmsgSpace(12))
	_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 2000), oob)
	fds := receive(oob[:n])
	if err != nil || len(fds) != 3 {
		t.Fatalf("%d descriptors, %v", len(fds), err)
	}
	fds[1:].close()
	conn.Close()
	testkit.Eventually(t, "the server has closed the channel", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.left) == 1
	})
	m := d.left[0]
	d.left = nil
	return fds[0], m
}

// A client has the memory of a closed channel as long as any reference to it
// remains, of any kind.
func TestMemoryThatAClientStillHasIsKnown(t *testing.T) {
	for name, keep := range map[string]func(memory int) (release func(), err error){
		"a duplicate": func(memory int) (func(), error) {
			fd, err := unix.Dup(memory)
			return func() { unix.Close(fd) }, errors.Join(err, unix.Close(memory))
		},
		"a mapping": func(memory int) (func(), error) {
			mem, err := unix.Mmap(memory, 0, rogueSize, unix.PROT_READ, unix.MAP_SHARED)
			return func() { unix.Munmap(mem) }, errors.Join(err, unix.Close(memory))
		},
		"a message on its way": func(memory int) (func(), error) {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				err = unix.Sendmsg(pair[0], []byte{1}, unix.UnixRights(memory), nil, 0)
			}
			return func() { unix.Close(pair[0]); unix.Close(pair[1]) }, errors.Join(err, unix.Close(memory))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &door{keeps: true}
			memory, m := hold(t, serveGuarded(t, d), d)
			defer m.Close()
			release, err := keep(memory)
			if err != nil {
				t.Fatal(err)
			}
			if m.Released() {
				t.Error("it is held, and said to be released")
			}
			release()
			// The kernel frees a message on its way in a worker of its own.
			testkit.Eventually(t, "it is released", m.Released)
		})
	}
}

// Another open file of the memory would escape the watch.
func TestMemoryCannotBeOpenedAgain(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("another user: needs root")
	}
	d := &door{keeps: true}
	memory, m := hold(t, serveGuarded(t, d), d)
	defer m.Close()
	f := os.NewFile(uintptr(memory), "memory")
	defer f.Close()
	for _, how := range []string{"<", ">", "<>"} {
		c := exec.Command("sh", "-c", "exec 4"+how+"/proc/self/fd/3")
		c.ExtraFiles = []*os.File{f}
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if err := c.Run(); err == nil {
			t.Errorf("opened with %s", how)
		}
	}
}

// The number of an unguarded listener's clients is limited, and excess ones get
// the reason.
func TestChannelsAreBounded(t *testing.T) {
	l, d := listen(t)
	defer l.Close()
	places := l.(*Listener).places
	for range mostChannels {
		places <- struct{}{}
	}
	if _, err := d.Dial(t.Context(), transport.Offer{Port: 1, Size: 8192}); !errors.Is(err, vlibcall.ErrDenied) {
		t.Error(err)
	}
	<-places
	ep, err := d.Dial(t.Context(), transport.Offer{Port: 1, Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	if err := ep.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
