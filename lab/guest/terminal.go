// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"io"
	"os"
	"os/exec"

	"github.com/creack/pty"

	"github.com/vlibos/vlibos/lab/labproto"
)

// runTerminal runs a command as the leader of a session on a new terminal.
func (h *hostConn) runTerminal(cmd *exec.Cmd, size labproto.Window) error {
	master, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: size.Rows, Cols: size.Cols})
	if err != nil {
		return &startError{err}
	}
	defer master.Close()
	go h.feed(terminalInput{master}, func(w labproto.Window) {
		// An error means that the terminal is closed.
		_ = pty.Setsize(master, &pty.Winsize{Rows: w.Rows, Cols: w.Cols})
	})
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		// It ends with EIO when the last process has closed the terminal.
		io.Copy(h.Writer(labproto.KindStdout), master)
	}()
	err = cmd.Wait()
	<-copied
	return err
}

// terminalInput writes to the terminal. Closing it writes the terminal's end-of-file
// character, because the terminal itself stays open.
type terminalInput struct{ master *os.File }

func (t terminalInput) Write(p []byte) (int, error) { return t.master.Write(p) }

func (t terminalInput) Close() error {
	_, err := t.master.Write([]byte{4})
	return err
}
