// SPDX-License-Identifier: Apache-2.0

package native

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// After any messages and descriptors from clients of a guarded socket, and
// wherever these close it, nothing of them remains, and others are served.
func TestLiesOfClientsLeaveNothing(t *testing.T) {
	d := new(door)
	dir := serveGuarded(t, d)
	words := func(all ...uint64) (b []byte) {
		for _, w := range all {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
		return b
	}
	hellos := [][]byte{make([]byte, 1000), words(uint64(transport.Revision), 8192, 1, 7)}
	for n := range 2 * payingSize {
		hellos = append(hellos, make([]byte, n))
	}
	for _, size := range []uint64{0, 1, 4096, 8191, 8193, MaxSize + 4096, math.MaxInt64, math.MaxUint64, 1<<32 + 8192} {
		hellos = append(hellos, words(uint64(transport.Revision), size, 1))
	}
	for _, revision := range []uint64{0, 1 << 32, math.MaxUint64} {
		hellos = append(hellos, words(revision, 8192, 1))
	}
	good := words(uint64(transport.Revision), 8192, 1)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	echoes(t, dir)
	nothing := func() bool { places, bytes := d.inside(); return places == 0 && bytes == 0 }
	testkit.Eventually(t, "the first client is gone", nothing)
	before := inUse(t)
	for _, hello := range append(hellos, good) {
		for _, reads := range []bool{false, true} {
			conn, err := connect(t.Context(), Socket(dir, 1))
			if err != nil {
				t.Fatal(err)
			}
			rights := unix.UnixRights(int(null.Fd()), int(null.Fd()))
			if _, _, err := conn.WriteMsgUnix(hello, rights, nil); err != nil {
				t.Error(err)
			}
			if reads {
				conn.SetDeadline(time.Now().Add(testkit.Patience))
				b := make([]byte, 2000)
				n, err := conn.Read(b) // what is handed over with it is dropped
				if fmt.Sprint(hello) != fmt.Sprint(good) && n > 0 && binary.LittleEndian.Uint64(b) == 0 {
					t.Errorf("a channel for %x, %v", hello, err)
				}
			}
			conn.Close()
		}
	}
	echoes(t, dir)
	testkit.Eventually(t, "nothing is left of them", func() bool {
		now := inUse(t)
		return nothing() && now.descriptors <= before.descriptors && now.maps <= before.maps
	})
}
