// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// EchoArg is the argument that makes the program call [Echo].
const EchoArg = "lab-echo"

// echoPort is the DomU's port.
const echoPort = 7

// tcp counts a message and its echo over TCP and the split network driver. Both
// sides block in a system call.
func tcp(ctx context.Context, domid uint16, s Samples) (err error) {
	if err := connectNetwork(ctx, domid); err != nil {
		return err
	}
	fd, err := connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var message [64]byte
	return s.count(sampleTCP, func() error {
		if _, err := unix.Write(fd, message[:]); err != nil {
			return os.NewSyscallError("write", err)
		}
		return readAll(fd, message[:])
	})
}

func connect() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), unix.Connect(fd, &unix.SockaddrInet4{Port: echoPort, Addr: netip.MustParseAddr(domuAddress).As4()})); err != nil {
		return -1, errors.Join(fmt.Errorf("connect to %s, port %d: %w", domuAddress, echoPort, err), unix.Close(fd))
	}
	return fd, nil
}

func readAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Read(fd, p)
		if err != nil {
			return os.NewSyscallError("read", err)
		}
		if n == 0 {
			return errors.New("the other side has closed the connection")
		}
		p = p[n:]
	}
	return nil
}

// Echo runs in the DomU, from before it has a network, and serves one connection.
func Echo() error {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Port: echoPort}), unix.Listen(l, 1)); err != nil {
		return err
	}
	fd, _, err := unix.Accept(l)
	if err != nil {
		return os.NewSyscallError("accept", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	var message [64]byte
	for {
		if err := readAll(fd, message[:]); err != nil {
			return err
		}
		if _, err := unix.Write(fd, message[:]); err != nil {
			return os.NewSyscallError("write", err)
		}
	}
}
