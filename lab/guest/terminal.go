// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/labproto"
)

// runTerminal runs a command as the leader of a session on a new terminal.
func (h *host) runTerminal(cmd *exec.Cmd, size labproto.Window) error {
	master, slave, err := openTerminal()
	if err != nil {
		return &startError{err}
	}
	defer master.Close()
	resize := func(w labproto.Window) { setSize(slave, w) }
	resize(size)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		slave.Close()
		return &startError{err}
	}
	go h.feed(terminalInput{master}, resize)
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		// Ends with EIO when the last process has left the terminal.
		io.Copy(h.Writer(labproto.KindStdout), master)
	}()
	err = cmd.Wait()
	slave.Close()
	<-copied
	return err
}

// openTerminal makes a pseudo-terminal pair (pts(4)).
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("unlock terminal: %w", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("number of terminal: %w", err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

// setSize changes a terminal's size; a terminal that is closed has none.
func setSize(tty *os.File, w labproto.Window) {
	raw, err := tty.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: w.Rows, Col: w.Cols})
	})
}

// terminalInput writes to the terminal; the end of input is the terminal's
// end-of-file character, for the terminal itself stays open.
type terminalInput struct{ master *os.File }

func (t terminalInput) Write(p []byte) (int, error) { return t.master.Write(p) }

func (t terminalInput) Close() error {
	_, err := t.master.Write([]byte{4})
	return err
}
