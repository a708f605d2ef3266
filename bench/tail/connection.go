// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// connection is a non-blocking connection to the service. Answers arrive in the
// order of the requests.
type connection struct {
	fd     int
	unsent []byte
	due    []waiting // answers that have not arrived
	have   int       // bytes of the first of them that have arrived
	head   [8]byte   // its first bytes
}

type waiting struct {
	at     int64 // when its request was due, in ns
	answer int
	prefix string
}

func dial(address netip.AddrPort) (*connection, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	c := &connection{fd: fd}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}); err != nil {
		c.close()
		return nil, fmt.Errorf("connect to the service at %v: %w", address, err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		c.close()
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		c.close()
		return nil, os.NewSyscallError("fcntl", err)
	}
	return c, nil
}

func (c *connection) close() { unix.Close(c.fd) }

// send sends a request that was due at the given moment, as far as there is
// room. [connection.flush] sends the rest.
func (c *connection) send(r request, at int64) error {
	c.due = append(c.due, waiting{at, r.answer, r.prefix})
	c.unsent = append(c.unsent, r.text...)
	return c.flush()
}

func (c *connection) flush() error {
	for len(c.unsent) > 0 {
		n, err := unix.Write(c.fd, c.unsent)
		switch err {
		case nil:
			c.unsent = c.unsent[:copy(c.unsent, c.unsent[n:])]
		case unix.EINTR:
		case unix.EAGAIN:
			return nil
		default:
			return fmt.Errorf("send to the service: %w", err)
		}
	}
	return nil
}

// receive reads what has arrived, and reports each complete answer.
func (c *connection) receive(buf []byte, answered func(due int64)) error {
	for {
		n, err := unix.Read(c.fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return fmt.Errorf("receive from the service: %w", err)
		case n == 0:
			return fmt.Errorf("the service has closed the connection")
		}
		if err := c.take(buf[:n], answered); err != nil {
			return err
		}
		if n < len(buf) {
			return nil
		}
	}
}

func (c *connection) take(p []byte, answered func(due int64)) error {
	for len(p) > 0 {
		if len(c.due) == 0 {
			return fmt.Errorf("the service sent %.40q without a request", p)
		}
		w := c.due[0]
		n := min(len(p), w.answer-c.have)
		if c.have < len(c.head) {
			copy(c.head[c.have:], p[:n])
		}
		c.have += n
		p = p[n:]
		// An answer that is shorter than the right one, such as an error,
		// differs at its beginning.
		seen := min(c.have, len(w.prefix))
		if string(c.head[:seen]) != w.prefix[:seen] {
			return fmt.Errorf("the service answers %q, want %q", c.head[:min(c.have, len(c.head))], w.prefix)
		}
		if c.have == w.answer {
			c.due, c.have = c.due[:copy(c.due, c.due[1:])], 0
			answered(w.at)
		}
	}
	return nil
}
