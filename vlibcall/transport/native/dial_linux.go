// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// The handshake, on a SOCK_SEQPACKET unix socket, little-endian:
//
//	client: revision u64, size u64, generation u64; and, if a reservation
//	        pays, its number u64
//	server: u64 0 and three descriptors: the memfd, the event that the
//	        server waits for, the event that the client waits for;
//	        or u64 status, an error text, and no descriptor
const (
	helloSize    = 24
	payingSize   = 32
	welcomeSize  = 8
	maxErrorText = 1024
)

// handshakeTimeout bounds a handshake whose context has no deadline.
const handshakeTimeout = 10 * time.Second

// DefaultRoot is the directory that holds a machine's native domains, each a
// directory of sockets with the domain's name.
const DefaultRoot = "/run/vlibos/native"

// Socket is the path of the socket for port of the domain in directory dir.
func Socket(dir string, port transport.Port) string {
	return filepath.Join(dir, strconv.FormatUint(uint64(port), 10)+".sock")
}

// CheckName refuses what cannot be the name of a native domain: its sockets are in
// a directory of that name.
func CheckName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%.80q cannot be the name of a directory", name)
	}
	return nil
}

// Domain is a transport.Dialer for the native domain whose sockets are in the
// directory that it names.
type Domain string

// Abandoned reports whether the server of a port has ended and left its socket. It
// connects, and does not say so of a socket to which this process may not.
func (d Domain) Abandoned(port transport.Port) bool {
	return errors.Is(probe(Socket(string(d), port)), syscall.ECONNREFUSED)
}

// Dial implements transport.Dialer. Without a server it is vlibcall.ErrGone.
func (d Domain) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
	}
	conn, err := connect(ctx, Socket(string(d), o.Port))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: no server listens (%w)", vlibcall.ErrGone, err)
	}
	if err != nil {
		return nil, err
	}
	ep, err := handshake(ctx, conn, o)
	if err == nil && o.Reservation != 0 {
		if err = ep.pay(string(d), uint32(o.Reservation)); err != nil {
			err = errors.Join(err, ep.Close())
		}
	}
	if err != nil {
		return nil, err
	}
	return ep, nil
}

// connectSlice is how long a connect waits before it looks at its context.
const connectSlice = 100 * time.Millisecond

// connect waits for its place in the queue of the socket if others have filled
// it. A blocking connect keeps its place; a repeated one does not.
func connect(ctx context.Context, path string) (*net.UnixConn, error) {
	fail := func(err error) error { return &os.PathError{Op: "connect", Path: path, Err: err} }
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	slice := unix.NsecToTimeval(int64(connectSlice))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &slice); err != nil {
		return nil, os.NewSyscallError("setsockopt SO_SNDTIMEO", err)
	}
	for err = unix.EAGAIN; errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR); {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: the queue of %s is full (%w)", vlibcall.ErrTimeout, path, ctx.Err())
		}
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		return nil, fail(err)
	}
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fail(err)
	}
	return conn.(*net.UnixConn), nil
}

// Conn is a transport.Dialer over one connected SOCK_SEQPACKET socket, for
// example half of a socket pair that a child process has the other half of.
// It can be dialled once, and owns the socket.
type Conn struct {
	mu   sync.Mutex
	conn *net.UnixConn
}

// NewConn takes over conn.
func NewConn(conn *net.UnixConn) *Conn { return &Conn{conn: conn} }

// Dial implements transport.Dialer.
func (c *Conn) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	if o.Reservation != 0 {
		return nil, fmt.Errorf("%w: %d: a socket pair has no domain with a ledger", vlibcall.ErrReservation, o.Reservation)
	}
	c.mu.Lock()
	conn := c.conn
	c.conn = nil
	c.mu.Unlock()
	if conn == nil {
		return nil, errors.New("a socket pair carries one channel, and it was opened already")
	}
	ep, err := handshake(ctx, conn, o)
	if err != nil {
		return nil, err
	}
	return ep, nil
}

func handshake(ctx context.Context, conn *net.UnixConn, o transport.Offer) (*endpoint, error) {
	ep, err := shakeHands(ctx, conn, o)
	if err != nil {
		conn.Close()
		return nil, err
	}
	ep.watchPeer()
	return ep, nil
}

func shakeHands(ctx context.Context, conn *net.UnixConn, o transport.Offer) (*endpoint, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(handshakeTimeout)
	}
	conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	hello := binary.LittleEndian.AppendUint64(nil, uint64(transport.Revision))
	hello = binary.LittleEndian.AppendUint64(hello, uint64(o.Size))
	hello = binary.LittleEndian.AppendUint64(hello, o.Generation)
	if o.Reservation != 0 {
		hello = binary.LittleEndian.AppendUint64(hello, uint64(o.Reservation))
	}
	if _, err := conn.Write(hello); errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%w: the server takes no channel", vlibcall.ErrTimeout)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", vlibcall.ErrGone, err)
	}
	buf := make([]byte, welcomeSize+maxErrorText)
	oob := make([]byte, unix.CmsgSpace(3*4))
	n, oobn, flags, _, err := conn.ReadMsgUnix(buf, oob)
	fds := receive(oob[:oobn])
	defer fds.close()
	switch status := binary.LittleEndian.Uint64(buf); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("%w: the server accepted no channel", vlibcall.ErrTimeout)
	case err != nil || n == 0:
		return nil, fmt.Errorf("%w: the server hung up in the handshake (%v)", vlibcall.ErrGone, err)
	case n < welcomeSize || status == 0 && (len(fds) != 3 || flags&unix.MSG_CTRUNC != 0):
		return nil, fmt.Errorf("%w: a welcome of %d bytes with %d descriptors, want %d and 3", vlibcall.ErrProtocol, n, len(fds), welcomeSize)
	case status != 0:
		return nil, refusal(status, buf[welcomeSize:n], o)
	}
	ep, err := clientEndpoint(conn, fds, o.Size)
	if err != nil {
		return nil, err
	}
	if !stop() {
		return nil, errors.Join(fmt.Errorf("%w (%w)", vlibcall.ErrTimeout, ctx.Err()), ep.release())
	}
	conn.SetDeadline(time.Time{})
	return ep, nil
}

// refusal is the error that the server sent instead of a welcome.
func refusal(status uint64, detail []byte, o transport.Offer) error {
	err := vlibcall.ReceivedStatus(vlibcall.Status(min(status, math.MaxUint16)), detail)
	if s := (*vlibcall.StatusError)(nil); o.Reservation != 0 && errors.As(err, &s) && s.Status == vlibcall.StatusDenied {
		return fmt.Errorf("%w: %s", vlibcall.ErrReservation, s.Detail)
	}
	return fmt.Errorf("the server refused the channel: %w", err)
}

func clientEndpoint(conn *net.UnixConn, fds received, size int) (*endpoint, error) {
	e := &endpoint{conn: conn, leave: func() {}}
	if err := e.equip(fds, size); err != nil {
		return nil, errors.Join(err, e.release())
	}
	return e, nil
}

// equip completes the client's endpoint with the received descriptors.
func (e *endpoint) equip(fds received, size int) (err error) {
	if e.mem, err = mapMemory(fds[0], size); err != nil {
		return err
	}
	if e.remote, err = adoptEvent(fds[1]); err != nil {
		return err
	}
	e.remote.distrust()
	if e.local, err = adoptEvent(fds[2]); err != nil {
		return err
	}
	w, err := newWaiter()
	if err != nil {
		return err
	}
	e.w, e.lost, e.leave = w, w.nudge, func() { w.close() }
	return w.add(e.local, 1)
}
