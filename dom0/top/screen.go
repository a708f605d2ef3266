// SPDX-License-Identifier: Apache-2.0

package top

import (
	"errors"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// What the terminal is told. A line that is too long all the same, because its
// characters are wide, is cut off rather than wrapped.
const (
	enter   = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	leave   = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	home    = "\x1b[H"
	endLine = "\x1b[K\r\n"
	endAll  = "\x1b[J"
	strong  = "\x1b[7m"
	plain   = "\x1b[0m"
)

// screen is a terminal in use.
type screen struct {
	in, out *os.File
	was     *term.State
	keys    chan byte

	wake    *os.File // closed: no more keys
	readers sync.WaitGroup
}

// openScreen takes the terminal; close gives it back as it was.
func openScreen(in, out *os.File) (*screen, error) {
	was, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, term.Restore(int(in.Fd()), was))
	}
	s := &screen{in: in, out: out, was: was, keys: make(chan byte, 16), wake: w}
	s.readers.Go(func() { s.read(r) })
	if _, err := out.WriteString(enter); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *screen) close() error {
	err := s.wake.Close()
	s.readers.Wait()
	_, werr := s.out.WriteString(leave)
	return errors.Join(err, werr, term.Restore(int(s.in.Fd()), s.was))
}

// read sends keys until the other end of wake is closed, or the terminal is.
func (s *screen) read(wake *os.File) {
	defer wake.Close()
	defer close(s.keys)
	fds := []unix.PollFd{{Fd: int32(s.in.Fd()), Events: unix.POLLIN}, {Fd: int32(wake.Fd()), Events: unix.POLLIN}}
	var b [16]byte
	for {
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		} else if err != nil || fds[1].Revents != 0 {
			return
		}
		n, err := s.in.Read(b[:])
		if err != nil {
			return
		}
		for _, key := range b[:n] {
			select {
			case s.keys <- key:
			default: // nobody types that fast
			}
		}
	}
}

// size is 80 by 24 where the terminal does not say.
func (s *screen) size() (width, height int) {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

func (s *screen) show(lines []Line) error {
	var b strings.Builder
	b.WriteString(home)
	for i, l := range lines {
		text := l.Text
		if l.Heading {
			text = strong + text + plain
		}
		b.WriteString(text)
		if i < len(lines)-1 {
			b.WriteString(endLine)
		}
	}
	b.WriteString("\x1b[K" + endAll)
	_, err := s.out.WriteString(b.String())
	return err
}
