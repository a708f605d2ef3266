// SPDX-License-Identifier: Apache-2.0

package uncore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/throttle"
)

// tree writes files of PMUs as the kernel lists them.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func pmu(name, typ, cpumask, umask string) map[string]string {
	return map[string]string{name + "/type": typ, name + "/cpumask": cpumask, name + "/format/event": "config:0-7", name + "/format/umask": umask}
}

func TestClientsMemoryArbiterIsFound(t *testing.T) {
	files := pmu("uncore_arb_0", "17", "0", "config:8-15")
	files["cpu/type"] = "4"
	got, err := find(tree(t, files))
	if err != nil || len(got) != 1 || got[0].typ != 17 || got[0].requests != 0x181 || got[0].occupancy != 0x180 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestServersCacheAgentsAreFound(t *testing.T) {
	files := map[string]string{}
	for i := range 40 {
		for k, v := range pmu(fmt.Sprintf("uncore_cha_%d", i), fmt.Sprint(30+i), "0,32", "config:8-15,32-55") {
			files[k] = v
		}
	}
	got, err := find(tree(t, files))
	if err != nil || len(got) != mostBoxes || len(got[0].cpus) != 2 || got[0].cpus[1] != 32 {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := uint64(0x00c817fe_00000135); got[0].requests != want || got[0].occupancy != want+1 {
		t.Errorf("%#x and %#x", got[0].requests, got[0].occupancy)
	}
}

func TestMaskOfCPUsMayBeARange(t *testing.T) {
	got, err := find(tree(t, pmu("uncore_arb_0", "17", "0-1", "config:8-15")))
	if err != nil || len(got) != 1 || !slices.Equal(got[0].cpus, []int{0, 1}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMachineWithoutCountersIsAnError(t *testing.T) {
	for what, files := range map[string]map[string]string{
		"has none of":         {"cpu/type": "4", "uncore_imc_0/type": "20"},
		"no room":             pmu("uncore_cha_0", "30", "0", "config:8-15"),
		"only bits of":        pmu("uncore_cha_0", "30", "0", "config1:0-31"),
		"names no CPU":        pmu("uncore_arb", "30", "", "config:8-15"),
		`"0,x" is not a list`: pmu("uncore_arb", "30", "0,x", "config:8-15"),
		"invalid syntax":      pmu("uncore_arb", "x", "0", "config:8-15"),
		`format "config:z`:    pmu("uncore_arb", "9", "0", "config:z"),
	} {
		_, err := open(tree(t, files), nil)
		if !errors.Is(err, throttle.ErrNoSource) || !strings.Contains(fmt.Sprint(err), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
	// A PMU that the kernel does not have.
	if _, err := open(tree(t, pmu("uncore_arb", "4000000000", "0", "config:8-15")), nil); err == nil {
		t.Error("a PMU of no type is opened")
	}
}
