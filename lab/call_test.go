// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/lab"
)

// built fails unless make build has been run: without the programs, the lab
// boots guests that have no server.
func built(t *testing.T) {
	t.Helper()
	for _, name := range []string{"vlibmaster", "vlib-server", "vlib-worker"} {
		if _, err := os.Stat(filepath.Join("..", "bin", name)); err != nil {
			t.Fatalf("%v: run make build", err)
		}
	}
}

// call is a command in Dom0, its exit status, and what it prints on the stream
// that belongs to that status.
type call struct{ command, status, prints string }

var calls = []call{
	{"vlibmaster call 1 libm.so.6 cos --sig 'f64(f64)' 0.5", "0", "0.8775825618903728"},
	{"vlibmaster call vlib1 libm.so.6 pow --sig 'f64(f64,f64)' 2 -1", "0", "0.5"},
	{"vlibmaster call 1 vlib run -- uname -n", "0", "vlib1"},
	{"vlibmaster services 1", "0", "vlib"},
	{"vlibmaster doctor", "0", "module absent"},
	{"vlibmaster call 99 libm.so.6 cos --sig 'f64(f64)' 0.5", "3", "no such domain"},
	{"vlibmaster call 1 --port 9 libm.so.6 cos --sig 'f64(f64)' 0.5", "4", "port 9"},
	{"vlibmaster call 1 libnothere.so cos --sig 'f64(f64)' 0.5", "5", "no such library"},
	{"vlibmaster call 1 libm.so.6 cosine --sig 'f64(f64)' 0.5", "6", "no such function"},
	{"vlibmaster call 1 libm.so.6 cos --sig 'f64(f65)' 0.5", "7", "position 5"},
	{"vlibmaster call 1 libm.so.6 cos --sig 'f64(f64)' half", "7", "argument 1"},
	{"vlibmaster call 1 vlib run -- false", "8", "status 1"},
	{"vlibmaster call 1 libc.so.6 strlen --sig 'u64(null)'", "9", "SIGSEGV"},
	{"vlibmaster call 1 libc.so.6 strlen --sig 'u64(str)' four", "0", "4"},
	{"vlibmaster call 1 libc.so.6 pause --sig 'i32()' --timeout 1s", "10", "no answer in time"},
	{"vlibmaster call 1 libc.so.6 toupper --sig 'i32(i32)' 97", "0", "65"},
	{"vlibmaster call 1 vlib run -- cat /sys/module/xen_gntalloc/parameters/limit", "0", "1024"},
	{"vlibmaster call 1 --size 8m vlib echo x", "12", "gntalloc"},
	{"vlibmaster call --reservation 1 1 libm.so.6 cos --sig 'f64(f64)' 0.5", "15", "no vLibOS module"},
	{"xl info", "0", "xen_scheduler : credit2"},
}

// testCalls makes all calls in one boot, from a shell that finally kills itself.
// PVH guests boot and are not resumed, because they differ in how they start.
func testCalls(t *testing.T, guest lab.Guest) {
	built(t)
	var script strings.Builder
	calls := append(slices.Clone(calls), call{"xl list -l vlib1", "0", fmt.Sprintf("\"type\": \"%s\"", guest)})
	for _, c := range calls {
		script.WriteString("out=$(" + c.command + " 2>&1); echo \"$?|\"$out\n")
	}
	script.WriteString("kill -9 $$\n")
	result, stdout, stderr := boot(t, lab.Config{DomUs: 1, Guest: guest, Fresh: guest == lab.PVH, Args: []string{"sh", "-c", script.String()}}, false)
	if result.Status != 128+9 {
		t.Errorf("status %d of a shell that killed itself, want 137", result.Status)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != len(calls) {
		t.Fatalf("%d answers to %d calls:\n%s\n%s", len(lines), len(calls), stdout, stderr)
	}
	for i, c := range calls {
		status, printed, _ := strings.Cut(lines[i], "|")
		if status != c.status || !strings.Contains(printed, c.prints) {
			t.Errorf("%s:\nexit status %s, want %s; printed %s; want %s", c.command, status, c.status, printed, c.prints)
		}
	}
}

func TestCallsIntoPVSucceedOrSayWhy(t *testing.T)  { testCalls(t, lab.PV) }
func TestCallsIntoPVHSucceedOrSayWhy(t *testing.T) { t.Parallel(); testCalls(t, lab.PVH) }
