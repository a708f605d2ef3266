// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"
)

// The layout as documented in docs/reference/lab-bus.md.
const golden = "testdata/layout.golden"

func TestLayoutMatchesThePluginAndItsPage(t *testing.T) {
	var l layout
	var r record
	var b strings.Builder
	for _, v := range []struct {
		name  string
		value uint64
	}{
		{"magic_value", magic}, {"version_value", version}, {"cpus_most", maxCPUs}, {"service_most", uint64(MaxService)},
		{"size", uint64(unsafe.Sizeof(l))}, {"cpu_size", uint64(unsafe.Sizeof(r))},
		{"magic", uint64(unsafe.Offsetof(l.magic))}, {"version", uint64(unsafe.Offsetof(l.version))},
		{"cpus", uint64(unsafe.Offsetof(l.cpus))}, {"line_bytes", uint64(unsafe.Offsetof(l.lineBytes))},
		{"private_bytes", uint64(unsafe.Offsetof(l.privateBytes))}, {"shared_bytes", uint64(unsafe.Offsetof(l.sharedBytes))},
		{"shared_ways", uint64(unsafe.Offsetof(l.sharedWays))}, {"service", uint64(unsafe.Offsetof(l.service))},
		{"cpu", uint64(unsafe.Offsetof(l.cpu))},
		{"cpu.accesses", uint64(unsafe.Offsetof(r.accesses))}, {"cpu.misses", uint64(unsafe.Offsetof(r.misses))},
		{"cpu.requests", uint64(unsafe.Offsetof(r.requests))}, {"cpu.occupancy", uint64(unsafe.Offsetof(r.occupancy))},
		{"cpu.late", uint64(unsafe.Offsetof(r.late))},
	} {
		fmt.Fprintf(&b, "%s %d\n", v.name, v.value)
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("in Go:\n%s\nin %s:\n%s", b.String(), golden, want)
	}
	// The layout as compiled into the plugin.
	program := filepath.Join(t.TempDir(), "layout")
	if out, err := exec.Command("gcc", "-Wall", "-Werror", "-I", "../../lab/membus/plugin", "-o", program, "testdata/layout.c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(program).Output()
	if err != nil || string(out) != string(want) {
		t.Errorf("in C, %v:\n%s\nin %s:\n%s", err, out, golden, want)
	}
	if Bytes != int(unsafe.Sizeof(l)) {
		t.Errorf("Bytes is %d, the layout has %d", Bytes, unsafe.Sizeof(l))
	}
}
