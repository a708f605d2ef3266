// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// BenchmarkCall makes calls of 64 bytes in each direction through the gateway
// and directly, ten of each in turn, and prints both times and their ratio.
func BenchmarkCall(b *testing.B) {
	h := openHost(b, nil)
	h.vlibOS("web", nil)
	h.configure(nil, mine("web", testkit.Patience))
	open := func(dir string) *vlibcall.Channel {
		c, err := vlibcall.Open(b.Context(), native.Domain(dir), vlibcall.Options{Size: 8192, Wait: vlibcall.Block})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		return c
	}
	through, direct := open(filepath.Join(h.o.Dir, "web")), open(filepath.Join(h.dir, "web"))
	input, room := make([]byte, 64), make([]byte, 64)
	ten := func(c *vlibcall.Channel) time.Duration {
		start := time.Now()
		for range 10 {
			if _, err := c.Call(b.Context(), "t", "echo", input, room); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	var gateway, alone time.Duration
	for range b.N {
		gateway += ten(through)
		alone += ten(direct)
	}
	calls := float64(10 * b.N)
	b.ReportMetric(float64(gateway.Nanoseconds())/calls, "gateway-ns/call")
	b.ReportMetric(float64(alone.Nanoseconds())/calls, "direct-ns/call")
	b.ReportMetric(float64(gateway)/float64(alone), "ratio")
}
