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
	"github.com/vlibos/vlibos/lab/image"
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

// releases are those that the suite runs on, with the Xen and the kernel of each.
var releases = map[string]struct{ xen, kernel string }{
	image.DefaultRelease: {"4.17", "6.1."},
	"trixie":             {"4.20", "6.12."},
}

// testCalls makes all calls in one boot of each release, whatever release this machine
// has, from a shell that finally kills itself.
func testCalls(t *testing.T, config lab.Config, more ...call) {
	built(t)
	for release, is := range releases {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			var script strings.Builder
			calls := slices.Concat(calls, more, []call{
				{"xl list -l vlib1", "0", fmt.Sprintf("\"type\": \"%s\"", config.Guest)},
				{"xl info", "0", "xen_version : " + is.xen},
			})
			for _, c := range calls {
				script.WriteString("out=$(" + c.command + " 2>&1); echo \"$?|\"$out\n")
			}
			script.WriteString("kill -9 $$\n")
			config := config
			config.Release, config.DomUs, config.Args = release, 1, []string{"sh", "-c", script.String()}
			// That a PVH guest starts is shown once: elsewhere it is resumed.
			config.Fresh = config.Guest == lab.PVH && release == image.DefaultRelease
			result, stdout, stderr := boot(t, config, false)
			if result.Status != 128+9 {
				t.Errorf("status %d of a shell that killed itself, want 137", result.Status)
			}
			if !strings.HasPrefix(result.Versions.Dom0, is.kernel) {
				t.Errorf("Dom0's kernel is %s, want %s", result.Versions.Dom0, is.kernel)
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
		})
	}
}

// The DomU has a package of its release besides.
func TestCallsIntoPVSucceedOrSayWhy(t *testing.T) {
	testCalls(t, lab.Config{Guest: lab.PV, DomUPackages: []string{"memcached"}},
		call{"vlibmaster call 1 vlib run -- memcached --version", "0", "memcached 1."})
}

func TestCallsIntoPVHSucceedOrSayWhy(t *testing.T) {
	t.Parallel()
	testCalls(t, lab.Config{Guest: lab.PVH})
}
