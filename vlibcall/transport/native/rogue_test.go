// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// rogueSize is the size of all channels requested from a rogue.
const rogueSize = 3 * transport.HeaderSize

// rogue is a server that treats each client in an arbitrary way.
type rogue struct {
	t   *testing.T
	dir string
	// hello is the client's message.
	welcome func(r *rogue, conn *net.UnixConn, hello []byte)

	client *net.UnixConn // the last
	page   memory.Page   // of the channel that it offered, if it mapped one
	events [2]int        // that it waits for; that its client waits for
	keep   []*os.File
}

func newRogue(t *testing.T, welcome func(*rogue, *net.UnixConn, []byte)) *rogue {
	r := &rogue{t: t, dir: t.TempDir(), welcome: welcome}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: Socket(r.dir, 1), Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			r.end()
			r.client = conn
			hello := make([]byte, payingSize)
			if n, err := conn.Read(hello); err == nil {
				welcome(r, conn, hello[:n])
			}
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		r.end()
	})
	return r
}

// end frees what it has for the last client.
func (r *rogue) end() {
	if r.client != nil {
		r.client.Close()
	}
	for _, f := range r.keep {
		f.Close()
	}
	if r.page != nil {
		unix.Munmap(r.page)
	}
	r.client, r.keep, r.page = nil, nil, nil
}

// file makes a descriptor that is closed with its client.
func (r *rogue) file(fd int, err error) int {
	if err != nil {
		r.t.Error(err)
		return -1
	}
	r.keep = append(r.keep, os.NewFile(uintptr(fd), "rogue's"))
	return fd
}

func (r *rogue) eventfd() int { return r.file(unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)) }

func (r *rogue) memfd(size int64, seal int) int {
	fd := r.file(unix.MemfdCreate("rogue", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING))
	err := unix.Ftruncate(fd, size)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seal)
	}
	if err != nil {
		r.t.Error(err)
	}
	return fd
}

// plain is an ordinary file.
func (r *rogue) plain() int {
	fd := r.file(unix.Open(filepath.Join(r.dir, "plain"), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600))
	if err := unix.Ftruncate(fd, rogueSize); err != nil {
		r.t.Error(err)
	}
	return fd
}

// fullPipe is a pipe that blocks its writer.
func (r *rogue) fullPipe() int {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		r.t.Error(err)
	}
	r.file(ends[0], nil)
	for {
		if _, err := unix.Write(ends[1], make([]byte, 4096)); err != nil {
			break
		}
	}
	if err := unix.SetNonblock(ends[1], false); err != nil {
		r.t.Error(err)
	}
	return r.file(ends[1], nil)
}

func (r *rogue) timer() int {
	return r.file(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK))
}

// say sends a welcome with a status and descriptors.
func say(conn *net.UnixConn, status uint64, fds ...int) {
	_, _, _ = conn.WriteMsgUnix(binary.LittleEndian.AppendUint64(nil, status), unix.UnixRights(fds...), nil)
}

// offer sends an honest server's message, with a header that tamper has
// changed, and with these events.
func (r *rogue) offer(conn *net.UnixConn, hello []byte, tamper func(memory.Page), theirs, ours int) {
	memory := r.memfd(rogueSize, seals)
	page, err := unix.Mmap(memory, 0, rogueSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err == nil {
		r.page = page
		err = transport.Format(page[:transport.HeaderSize], rogueSize, binary.LittleEndian.Uint64(hello[16:]))
	}
	if err != nil {
		r.t.Error(err)
		return
	}
	tamper(r.page)
	r.events = [2]int{theirs, ours}
	say(conn, 0, memory, theirs, ours)
}

func honest(memory.Page) {}

// misdeeds are lies at each step of the handshake.
var misdeeds = map[string]struct {
	welcome func(r *rogue, conn *net.UnixConn, hello []byte)
	want    error
}{
	"hangs up":      {func(_ *rogue, conn *net.UnixConn, _ []byte) { conn.Close() }, vlibcall.ErrGone},
	"says nothing":  {func(*rogue, *net.UnixConn, []byte) {}, vlibcall.ErrTimeout},
	"half a word":   {func(_ *rogue, conn *net.UnixConn, _ []byte) { conn.Write(make([]byte, 4)) }, vlibcall.ErrProtocol},
	"an unknown no": {func(_ *rogue, conn *net.UnixConn, _ []byte) { say(conn, 1<<40) }, vlibcall.ErrProtocol},
	"a long no": {func(_ *rogue, conn *net.UnixConn, _ []byte) {
		conn.Write(append([]byte{9, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 9000)...))
	}, vlibcall.ErrDenied},
	"no descriptor":    {func(_ *rogue, conn *net.UnixConn, _ []byte) { say(conn, 0) }, vlibcall.ErrProtocol},
	"an empty message": {func(r *rogue, conn *net.UnixConn, _ []byte) { emptyWith(conn, r.eventfd(), r.eventfd(), r.eventfd()) }, vlibcall.ErrGone},
	"a no with three":  {func(r *rogue, conn *net.UnixConn, _ []byte) { say(conn, 9, r.eventfd(), r.eventfd(), r.eventfd()) }, vlibcall.ErrDenied},
	"two descriptors":  {func(r *rogue, conn *net.UnixConn, _ []byte) { say(conn, 0, r.memfd(rogueSize, seals), r.eventfd()) }, vlibcall.ErrProtocol},
	"four": {func(r *rogue, conn *net.UnixConn, _ []byte) {
		say(conn, 0, r.memfd(rogueSize, seals), r.eventfd(), r.eventfd(), r.eventfd())
	}, vlibcall.ErrProtocol},
	"two hundred": {func(r *rogue, conn *net.UnixConn, _ []byte) {
		fds := []int{r.memfd(rogueSize, seals)}
		for range 199 {
			fds = append(fds, r.events[0])
		}
		fds[1], fds[2] = r.eventfd(), r.eventfd()
		for i := range fds[3:] {
			fds[3+i] = fds[1]
		}
		say(conn, 0, fds...)
	}, vlibcall.ErrProtocol},
	"memory that is a file":        memoryOf((*rogue).plain),
	"memory that is a pipe":        memoryOf((*rogue).fullPipe),
	"memory that is an event":      memoryOf((*rogue).eventfd),
	"memory that can shrink":       memoryOf(func(r *rogue) int { return r.memfd(rogueSize, unix.F_SEAL_GROW|unix.F_SEAL_SEAL) }),
	"memory to be sealed":          memoryOf(func(r *rogue) int { return r.memfd(rogueSize, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK) }),
	"memory that is too small":     memoryOf(func(r *rogue) int { return r.memfd(rogueSize-1, seals) }),
	"memory that is too large":     memoryOf(func(r *rogue) int { return r.memfd(1<<40, seals) }),
	"memory of nothing":            memoryOf(func(r *rogue) int { return r.memfd(0, seals) }),
	"memory not to be written":     memoryOf(func(r *rogue) int { return r.memfd(rogueSize, seals|unix.F_SEAL_WRITE) }),
	"memory opened for reading":    memoryOf(func(r *rogue) int { return r.readOnly(r.memfd(rogueSize, seals)) }),
	"an event that is a full pipe": eventOf((*rogue).fullPipe),
	"an event that is a file":      eventOf((*rogue).plain),
	"an event that is a timer":     eventOf((*rogue).timer),
	"an event that is memory":      eventOf(func(r *rogue) int { return r.memfd(rogueSize, seals) }),
	"an event that is a poller":    eventOf(func(r *rogue) int { return r.file(unix.EpollCreate1(unix.EPOLL_CLOEXEC)) }),
	"an event that is a path":      eventOf(func(r *rogue) int { return r.file(unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)) }),
	"an own event that is a file":  {func(r *rogue, conn *net.UnixConn, hello []byte) { r.offer(conn, hello, honest, r.eventfd(), r.plain()) }, vlibcall.ErrProtocol},
	"a header of zeroes":           headerOf(func(p memory.Page) { clear(p[:transport.HeaderSize]) }),
	"another revision":             headerOf(func(p memory.Page) { p.Word(memory.RevisionWord).Add(1) }),
	"another generation":           headerOf(func(p memory.Page) { p.Word(memory.Generation).Add(1) }),
	"another size":                 headerOf(func(p memory.Page) { p.Word(memory.Size).Store(1 << 62) }),
	"an answer to no call":         headerOf(func(p memory.Page) { p.Answer(0, 1, 0, "") }),
}

type misdeed = struct {
	welcome func(r *rogue, conn *net.UnixConn, hello []byte)
	want    error
}

func memoryOf(f func(*rogue) int) misdeed {
	return misdeed{func(r *rogue, conn *net.UnixConn, _ []byte) { say(conn, 0, f(r), r.eventfd(), r.eventfd()) }, vlibcall.ErrProtocol}
}

func eventOf(f func(*rogue) int) misdeed {
	return misdeed{func(r *rogue, conn *net.UnixConn, hello []byte) {
		r.offer(conn, hello, honest, f(r), r.eventfd())
	}, vlibcall.ErrProtocol}
}

func headerOf(tamper func(memory.Page)) misdeed {
	return misdeed{func(r *rogue, conn *net.UnixConn, hello []byte) {
		r.offer(conn, hello, tamper, r.eventfd(), r.eventfd())
	}, vlibcall.ErrProtocol}
}

// emptyWith sends descriptors without any byte, which unix.Sendmsg never does.
func emptyWith(conn *net.UnixConn, fds ...int) {
	rights := unix.UnixRights(fds...)
	message := unix.Msghdr{Control: &rights[0]}
	message.SetControllen(len(rights))
	raw, err := conn.SyscallConn()
	if err != nil {
		return // its client has an error too
	}
	_ = raw.Control(func(fd uintptr) {
		unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&message)), 0)
	})
}

func (r *rogue) readOnly(fd int) int {
	return r.file(unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC, 0))
}

// Each lie is an error of its kind, in time, and leaves nothing open.
func TestLiesInTheHandshakeAreErrors(t *testing.T) {
	for name, m := range misdeeds {
		t.Run(name, func(t *testing.T) {
			r := newRogue(t, m.welcome)
			timeout := testkit.Patience
			if errors.Is(m.want, vlibcall.ErrTimeout) {
				timeout = callTimeout
			}
			dial := func() {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				c, err := vlibcall.Open(ctx, Domain(r.dir), vlibcall.Options{Size: rogueSize})
				if !errors.Is(err, m.want) {
					t.Errorf("%v, want %v", err, m.want)
				}
				if err == nil {
					c.Close()
				}
			}
			dial()
			before := inUse(t)
			const dials = 10
			for range dials {
				dial()
			}
			// The rogue itself may have the last client only now, or not yet.
			testkit.Eventually(t, "what was received is closed", func() bool {
				now := inUse(t)
				return now.descriptors < before.descriptors+dials/2 && now.maps <= before.maps
			})
		})
	}
}

// use is a process's descriptors and mappings.
type use struct{ descriptors, maps int }

func inUse(t *testing.T) use {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return use{len(testkit.Descriptors()), strings.Count(string(maps), "memfd:")}
}
