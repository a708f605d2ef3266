// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
	"github.com/vlibos/vlibos/xenctl"
)

// channelSize is the size of the suites' channels in bytes: the header page
// and one of data.
const channelSize = 8192

// Open opens a channel to the server of a DomU, on port 1.
func Open(t testing.TB, domid uint16, o vlibcall.Options) *vlibcall.Channel {
	t.Helper()
	c, err := TryOpen(t, domid, o)
	Must(t, err)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TryOpen is [Open] for a channel that may be refused. The caller closes it.
func TryOpen(t testing.TB, domid uint16, o vlibcall.Options) (*vlibcall.Channel, error) {
	t.Helper()
	d, err := xen.Open(t.Context(), domid)
	Must(t, err)
	t.Cleanup(func() { d.Close() })
	o.Size = channelSize
	return vlibcall.Open(t.Context(), d, o)
}

// Shell is the input of the server's function run that has a shell execute
// words.
func Shell(t testing.TB, words string) []byte {
	t.Helper()
	command := builtin.Command{Argv: []string{"sh", "-c", words}}
	input, err := command.Append(nil)
	Must(t, err)
	return input
}

// RunIn has a shell in the DomU execute words, and returns what they print,
// without white space around it.
func RunIn(t testing.TB, c *vlibcall.Channel, words string) string {
	t.Helper()
	out, err := c.Call(t.Context(), builtin.Library, builtin.Run, Shell(t, words), nil)
	Must(t, err)
	var outcome builtin.Outcome
	Must(t, outcome.Decode(out))
	return strings.TrimSpace(string(outcome.Stdout))
}

// busy is what a domain has run when it must be at its loop: starting a shell
// takes less.
const busy = 200 * time.Millisecond

// Spin keeps n of a DomU's vCPUs busy until stop is called, which waits for
// the loops to end. It returns when the DomU is at them.
func Spin(t testing.TB, h *xenctl.Handle, domid uint16, n int) (stop func()) {
	t.Helper()
	words := strings.Repeat("while :; do :; done & ", n-1) + "while :; do :; done"
	c := Open(t, domid, vlibcall.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	p := c.Go(ctx, builtin.Library, builtin.Run, Shell(t, words), nil)
	from := CPUTime(t, h, domid)
	testkit.Eventually(t, "the DomU spins", func() bool { return CPUTime(t, h, domid)-from > busy })
	return func() {
		cancel()
		<-p.Done()
	}
}
