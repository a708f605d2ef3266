// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Guard decides about the clients of a socket to which every user can connect.
// Its methods may be called concurrently.
type Guard interface {
	// Admit is called for each client before anything is read from it. The
	// client gets the error.
	Admit(transport.Peer) (Place, error)
}

// Place is one client's place at a guarded listener.
type Place interface {
	// Grow is called before size bytes of channel are allocated.
	Grow(size int) error
	// Leave is called once, when the channel is closed, with a watch over the
	// memory that the client may still have; nil: there is none. The place
	// closes it.
	Leave(*Lent)
}

const (
	// mostRefused limits how many refused clients at once get the reason, and
	// refusalTime how long the server waits for each: they have no place of
	// their own. Further ones find the connection closed.
	mostRefused = 32
	refusalTime = time.Second
)

// ListenGuarded is [Listen] for untrusted clients: every user can connect,
// guard decides whether there will be a channel, and nothing that a client does
// with its descriptors delays the server. A [vlibcall.Server] must be set to
// InOrder.
func ListenGuarded(dir string, port transport.Port, guard Guard) (*Listener, error) {
	return listenAt(dir, port, guard)
}

// open lets every user connect, with any umask.
func open(path string) error {
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o666)
}

// Unanswered is the number of channels with an unanswered request, including
// the one being served. Clients can falsify it, by one for each of their
// channels.
func (l *Listener) Unanswered() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ep := range l.channels {
		if transport.Unanswered(ep.Header()) { // it stays mapped while it is in the list
			n++
		}
	}
	return n
}

// visitor is a client during its handshake.
type visitor struct {
	conn    *net.UnixConn
	peer    *transport.Peer // nil if not guarded
	place   Place           // nil if not guarded, or refused
	refusal error
	done    func() // at leave, besides
}

// receive calls the guard, if there is one, before anything is spent on a
// client.
func (l *Listener) receive(conn *net.UnixConn) (visitor, bool) {
	v := visitor{conn: conn}
	switch {
	case l.guard == nil:
		if v.take(l.places) {
			return v, true
		}
		v.refusal = &vlibcall.StatusError{Status: vlibcall.StatusDenied, Detail: fmt.Sprintf("%d channels are open, the most: close one", mostChannels)}
	default:
		if v.peer, v.refusal = peerOf(conn); v.refusal == nil {
			v.place, v.refusal = l.guard.Admit(*v.peer)
		}
		if v.refusal == nil {
			return v, true
		}
	}
	if !v.take(l.refusing) {
		conn.Close()
		return v, false
	}
	return v, true
}

// take takes one of those places until leave, if one is free.
func (v *visitor) take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		v.done = func() { <-places }
		return true
	default:
		return false
	}
}

func (v visitor) patience() time.Duration {
	if v.refusal != nil {
		return refusalTime
	}
	return handshakeTimeout
}

func (v visitor) grow(size int) error {
	if v.place == nil {
		return nil
	}
	return v.place.Grow(size)
}

// equip makes the parts of a server's endpoint, and the memory for the client.
func (v visitor) equip(e *endpoint, size int) (memory *os.File, err error) {
	if memory, err = newMemory(size); err != nil {
		return nil, err
	}
	if v.place != nil {
		if memory, e.lent, err = lend(memory); err != nil {
			return nil, err
		}
	}
	if e.mem, err = mapMemory(int(memory.Fd()), size); err != nil {
		return memory, err
	}
	if e.local, err = newEvent(); err != nil {
		return memory, err
	}
	if e.remote, err = newEvent(); err == nil && v.place != nil {
		e.remote.distrust()
	}
	return memory, err
}

// leave returns the visitor's place to the guard.
func (v visitor) leave(m *Lent) {
	if v.place != nil {
		v.place.Leave(m)
	}
	if v.done != nil {
		v.done()
	}
}

// peerOf asks the kernel which process connected.
func peerOf(conn *net.UnixConn) (*transport.Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	p := new(transport.Peer)
	cerr := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			err = os.NewSyscallError("getsockopt SO_PEERCRED", err)
			return
		}
		*p = transport.Peer{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid}
		p.Groups, err = groupsOf(fd)
	})
	if cerr != nil {
		err = cerr
	}
	return p, err
}

// groupsOf are the supplementary groups: SO_PEERGROUPS returns their number if
// the buffer is too small.
func groupsOf(fd uintptr) ([]uint32, error) {
	groups := make([]uint32, 32)
	for range 2 {
		size := uint32(4 * len(groups))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			return groups[:size/4], nil
		}
		if errno != unix.ERANGE || size == 0 {
			return nil, os.NewSyscallError("getsockopt SO_PEERGROUPS", errno)
		}
		groups = make([]uint32, size/4)
	}
	return nil, fmt.Errorf("getsockopt SO_PEERGROUPS: %w", unix.ERANGE)
}
