// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"fmt"
	"math/bits"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
)

// moving is seven of twelve ways for the DomU at first, and five for all others.
const moving = `
[[cache]]
name = "guest"
l3 = "60%"
l3_least = "25%"
domains = ["vlib1"]

[[cache]]
name = "rest"
l3 = "40%"
l3_least = "10%"
domains = ["*"]
`

// A domain whose data would fill nine ways, and which has seven, gets more and keeps them: with
// the first of them it misses half as often. One that streams gets one on trial, and has to give
// it back.
func TestWaysMoveToTheDomainThatUsesThem(t *testing.T) {
	bus, xen := openBus(t, shortTurn), host.Xen(t)
	theirs := func() (uint64, error) { return requests(t, bus, domUCPU), nil }
	run := func(argv ...string) (stop func() error) {
		stop, err := domu.Background(t.Context(), domU, vlibcall.Options{Wait: vlibcall.Block}, theirs, 1000, argv...)
		host.Must(t, err)
		return stop
	}
	ways := func() int { return bits.OnesCount64(value(t, xen, domU, xenctl.L3Mask)) }
	d := serve(t, moving)
	testkit.Eventually(t, "its class", func() bool { return ways() == 7 })
	const data = 9 * 256 << 10 // bytes
	hour := fmt.Sprint(int64(time.Hour))
	stop := run("sh", "-c", fmt.Sprintf("exec %s task %s 1 1 1 %d </dev/null", program, hour, data))
	testkit.Eventually(t, "another way", func() bool { return ways() > 7 })
	time.Sleep(25 * time.Second) // a trial lasts ten, and two may follow each other
	own := ways()
	if own < 8 {
		t.Errorf("it did not keep the way that it needs:\n%s", d.Log.String())
	}
	host.Must(t, stop())

	up := d.Log.Count("class=guest")
	stop = run(program, mjump.Batch)
	testkit.Eventually(t, "a trial that ended", func() bool { return d.Log.Count("class=guest") >= up+2 })
	host.Must(t, stop())
	if n := ways(); n > own+1 { // one may be on trial
		t.Errorf("a program that streams was given %d ways", n-own)
	}
	t.Log(d.Log.String())
	d.end(t, syscall.SIGTERM)
	if n := ways(); n != 12 {
		t.Errorf("%d ways after the end", n)
	}
}
