// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench"
	host "github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/internal/testkit"
)

// asPeer in the environment makes the test program the other process.
const asPeer = "VLIBBENCH_TEST_PEER"

func TestMain(m *testing.M) {
	if os.Getenv(asPeer) != "" {
		var err error
		switch os.Args[1] {
		case "keeper":
			err = Keeper(context.Background(), os.Args[2], self, os.Stdin, os.Stdout)
		case "guard":
			err = host.Guard(os.Stdin, os.Args[2])
		default:
			err = Peer(context.Background(), os.Args[1], os.Stdin, os.Stdout)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testkit.Main(m)
}

// self runs the test program as another process.
func self(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), asPeer+"=1")
	return cmd
}

// Each measurement ends and gives a figure. A test cannot judge the figure.
func TestEachMeasurementGivesAFigure(t *testing.T) {
	_, peer, err := Cores()
	if err != nil {
		t.Skip(err)
	}
	got := make(map[string]bench.Record)
	err = Client(t.Context(), Options{
		Repeats: 1, Slot: time.Millisecond, PeerCPU: peer,
		Self: self,
	}, func(r bench.Record) error {
		got[r.Name] = r
		return bench.Append(t.TempDir()+"/bench.jsonl", r)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"call.native.spin", "call.native.block", "call.native.socket", "call.native.rpc", "call.native.recorded", "receipt.record", "call.native.bandwidth"} {
		if got[name].Value <= 0 {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
	if r, ok := got["reserve.overshoot.p99"]; ok && (r.Raw["budget_ends"] < overEnds || r.Raw["calls"] < paidCalls) {
		t.Errorf("%+v", r)
	}
	if r, ok := got["call.native.allocs"]; !ok || r.Value != 0 {
		t.Errorf("a call allocates: %+v", r)
	}
}
