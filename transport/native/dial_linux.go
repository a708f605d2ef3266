// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
)

// The handshake, on a SOCK_SEQPACKET unix socket, little-endian:
//
//	client: revision u64, size u64, generation u64; and, if one pays,
//	        reservation u64
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
func Socket(dir string, port uint32) string {
	return filepath.Join(dir, strconv.FormatUint(uint64(port), 10)+".sock")
}

// Domain is a vlibcall.Dialer for the native domain whose sockets are in the
// directory that it names.
type Domain string

// Dial implements vlibcall.Dialer. Nobody there is vlibcall.ErrGone.
func (d Domain) Dial(ctx context.Context, o vlibcall.Offer) (vlibcall.ClientEndpoint, error) {
	var nd net.Dialer
	conn, err := nd.DialContext(ctx, "unixpacket", Socket(string(d), o.Port))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: no server listens (%w)", vlibcall.ErrGone, err)
	}
	if err != nil {
		return nil, err
	}
	ep, err := handshake(ctx, conn.(*net.UnixConn), o)
	if err != nil {
		return nil, err
	}
	if o.Reservation == 0 {
		return ep, nil
	}
	return payerOf(ep, string(d), o.Reservation)
}

// Conn is a vlibcall.Dialer over one connected SOCK_SEQPACKET socket, for
// example half of a socket pair that a child process has the other half of.
// It can be dialled once, and owns the socket.
type Conn struct {
	mu   sync.Mutex
	conn *net.UnixConn
}

// NewConn takes over conn.
func NewConn(conn *net.UnixConn) *Conn { return &Conn{conn: conn} }

// Dial implements vlibcall.Dialer.
func (c *Conn) Dial(ctx context.Context, o vlibcall.Offer) (vlibcall.ClientEndpoint, error) {
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

func handshake(ctx context.Context, conn *net.UnixConn, o vlibcall.Offer) (*endpoint, error) {
	ep, err := shakeHands(ctx, conn, o)
	if err != nil {
		conn.Close()
		return nil, err
	}
	ep.watchPeer()
	return ep, nil
}

func shakeHands(ctx context.Context, conn *net.UnixConn, o vlibcall.Offer) (*endpoint, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(handshakeTimeout)
	}
	conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	hello := binary.LittleEndian.AppendUint64(nil, uint64(vlibcall.Revision))
	hello = binary.LittleEndian.AppendUint64(hello, uint64(o.Size))
	hello = binary.LittleEndian.AppendUint64(hello, o.Generation)
	if o.Reservation != 0 {
		hello = binary.LittleEndian.AppendUint64(hello, uint64(o.Reservation))
	}
	if _, err := conn.Write(hello); err != nil {
		return nil, fmt.Errorf("%w: %w", vlibcall.ErrGone, err)
	}
	buf := make([]byte, welcomeSize+maxErrorText)
	oob := make([]byte, unix.CmsgSpace(3*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%w: the server accepted no channel", vlibcall.ErrTimeout)
	}
	if err != nil || n == 0 {
		return nil, fmt.Errorf("%w: the server hung up in the handshake (%v)", vlibcall.ErrGone, err)
	}
	files, err := receiveFiles(oob[:oobn])
	if err != nil {
		return nil, err
	}
	defer closeFiles(files)
	if len(files) != 3 || n < welcomeSize {
		status := vlibcall.Status(binary.LittleEndian.Uint16(buf))
		err := vlibcall.ReceivedStatus(status, buf[min(n, welcomeSize):n])
		if o.Reservation != 0 && status == vlibcall.StatusDenied {
			return nil, fmt.Errorf("%w: %w", vlibcall.ErrReservation, err)
		}
		return nil, fmt.Errorf("the server refused the channel: %w", err)
	}
	conn.SetDeadline(time.Time{})
	return clientEndpoint(conn, files, o.Size)
}

func clientEndpoint(conn *net.UnixConn, files []*os.File, size int) (_ *endpoint, err error) {
	e := &endpoint{conn: conn}
	if e.mem, err = mapMemory(files[0], size); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unix.Munmap(e.mem)
		}
	}()
	if e.remote, err = adoptEvent(files[1]); err != nil {
		return nil, err
	}
	if e.local, err = adoptEvent(files[2]); err != nil {
		e.remote.close()
		return nil, err
	}
	if e.w, err = newWaiter(); err == nil {
		if err = e.w.add(e.local, 1); err != nil {
			e.w.close()
		}
	}
	if err != nil {
		e.remote.close()
		e.local.close()
		return nil, err
	}
	e.lost = e.w.nudge
	e.after = func() { e.w.close() }
	return e, nil
}

// adoptEvent duplicates the descriptor out of f.
func adoptEvent(f *os.File) (*event, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	return &event{fd: fd}, nil
}

func receiveFiles(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, os.NewSyscallError("parse control message", err)
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // credentials or the like: not what was asked for
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "channel"))
		}
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
