// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
)

// received are descriptors from another process, of unknown kinds. They are
// close-on-exec.
type received []int

// receive takes all descriptors out of control messages, whatever else they
// contain.
func receive(oob []byte) (fds received) {
	for len(oob) >= unix.CmsgLen(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return fds
		}
		oob = rest
		if got, err := unix.ParseUnixRights(&unix.SocketControlMessage{Header: h, Data: data}); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

// close closes all. A descriptor of a file system is closed in a goroutine of
// its own: the other process may implement that file system (FUSE), and never
// answer.
func (fds received) close() {
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err == nil || !strings.HasPrefix(kindOf(fd), "/") {
			unix.Close(fd)
			continue
		}
		go unix.Close(fd)
	}
}

// kindOf names the kind of a descriptor without using it:
// "anon_inode:[eventfd]", or a path.
func kindOf(fd int) string {
	kind, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return err.Error()
	}
	return kind
}

// adoptEvent duplicates the descriptor if it is an eventfd: writing to or
// waiting for anything else may block, or affect another process.
func adoptEvent(fd int) (*event, error) {
	if kind := kindOf(fd); kind != "anon_inode:[eventfd]" {
		return nil, fmt.Errorf("%w: the event is %.80q, want an eventfd", vlibcall.ErrProtocol, kind)
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	return &event{fd: own}, nil
}
