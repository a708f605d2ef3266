// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"github.com/vlibos/vlibos/lab/labproto"
	"github.com/vlibos/vlibos/lab/qemu"
)

// link is an emulator and the frames that its guest sends.
type link struct {
	vm     *qemu.Process
	conn   *labproto.Conn
	frames chan labproto.Frame
	broken chan error // gets the reason why no more frames arrive
	quit   chan struct{}
	ended  chan struct{}
}

// newLink takes over an emulator.
func newLink(vm *qemu.Process) *link {
	l := &link{
		vm: vm, conn: labproto.NewConn(vm.Channel), frames: make(chan labproto.Frame),
		broken: make(chan error, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	go l.receive()
	return l
}

func (l *link) receive() {
	defer close(l.ended)
	for {
		f, err := l.conn.Receive()
		if err != nil {
			l.broken <- err
			return
		}
		select {
		case l.frames <- f:
		case <-l.quit:
			return
		}
	}
}

// close ends the emulator, and returns when its goroutines have ended.
func (l *link) close() {
	close(l.quit)
	l.vm.Close()
	<-l.ended
}
