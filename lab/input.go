// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"github.com/vlibos/vlibos/lab/labproto"
)

// startInput passes the run's input and its terminal's size to the command. The
// goroutines end with the link, or with the Read that they are in. They ignore errors:
// the run's end is noticed elsewhere.
func (r *run) startInput(l *link) {
	if in := r.config.Stdin; in != nil {
		go func() {
			buf := make([]byte, 4096)
			for {
				n, err := in.Read(buf)
				select {
				case <-l.quit:
					return
				default:
				}
				if n > 0 && l.conn.Send(labproto.KindStdin, buf[:n]) != nil {
					return
				}
				if err != nil {
					l.conn.Send(labproto.KindStdinEOF, nil)
					return
				}
			}
		}()
	}
	if r.config.Resize != nil {
		go func() {
			for {
				select {
				case <-l.quit:
					return
				case w, ok := <-r.config.Resize:
					if !ok || l.conn.SendJSON(labproto.KindResize, labproto.Window{Rows: w.Rows, Cols: w.Cols}) != nil {
						return
					}
				}
			}
		}()
	}
}
