// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle/cache"
)

// files writes files as the kernel shows them.
func files(t *testing.T, all map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	write(t, root, all)
	return root
}

func write(t *testing.T, root string, all map[string]string) {
	t.Helper()
	for name, text := range all {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// server is an L3 cache of 11 ways on two sockets, and bandwidth.
func server() map[string]string {
	return map[string]string{
		"schemata":         "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n",
		"info/L3/cbm_mask": "7ff\n", "info/L3/min_cbm_bits": "1\n", "info/L3/num_closids": "16\n",
		"info/MB/min_bandwidth": "10\n", "info/MB/bandwidth_gran": "10\n", "info/MB/delay_linear": "1\n", "info/MB/num_closids": "8\n",
	}
}

func TestLayoutIsOfTheFilesInInfo(t *testing.T) {
	l, err := Layout(files(t, server()))
	want := cache.Layout{L3: &cache.Ways{Bits: 11, Least: 1, Classes: 15}, Bandwidth: &cache.Bandwidth{Least: 10, Step: 10, Classes: 7}, Groups: 7}
	if err != nil || !reflect.DeepEqual(l, want) {
		t.Errorf("%v, %v", l, err)
	}

	split, err := Layout(files(t, map[string]string{
		"schemata":             "L3DATA:0=fff\nL3CODE:0=fff\nL2:0=ff;4=ff\nSMBA:0=2048\n",
		"info/L3CODE/cbm_mask": "fff", "info/L3CODE/min_cbm_bits": "2", "info/L3CODE/num_closids": "8",
		"info/L3DATA/cbm_mask": "fff", "info/L3DATA/min_cbm_bits": "2", "info/L3DATA/num_closids": "8",
		"info/L2/cbm_mask": "ff", "info/L2/min_cbm_bits": "1", "info/L2/num_closids": "4",
	}))
	if err != nil || !split.L3.CDP || split.L2.Bits != 8 || split.Bandwidth != nil {
		t.Errorf("%v, %v", split, err)
	}
}

// min_cbm_bits is 0 on an AMD processor and 1 on Intel's.
func TestMaskOfAMDHasOneBitAtLeast(t *testing.T) {
	amd := server()
	amd["info/L3/min_cbm_bits"] = "0\n"
	l, err := Layout(files(t, amd))
	if err != nil || l.L3.Least != 1 {
		t.Errorf("%v, %v", l, err)
	}
}

// A group takes a class of service of every resource, also of those that it does not
// set.
func TestFewestClassesOfAnyResourceDecide(t *testing.T) {
	all := server()
	all["schemata"] += "    L2:0=ff;1=ff\n"
	for name, text := range map[string]string{
		"info/L3/num_closids": "15", "info/MB/num_closids": "15",
		"info/L2/cbm_mask": "ff", "info/L2/min_cbm_bits": "1", "info/L2/num_closids": "8",
	} {
		all[name] = text
	}
	l, err := Layout(files(t, all))
	if err != nil || l.Groups != 7 {
		t.Fatalf("%v, %v", l, err)
	}
	classes := make([]cache.Class, 10)
	for i := range classes {
		classes[i] = cache.Class{Name: fmt.Sprint("c", i), L3: 10}
	}
	if _, err := cache.Make(classes, l); !errors.Is(err, cache.ErrTooMany) || !strings.Contains(err.Error(), "10, and this host has 7") {
		t.Errorf("%v", err)
	}
	if _, err := cache.Make(classes[:7], l); err != nil {
		t.Error(err)
	}
	// A resource that this package does not know counts too.
	all["info/SMBA/num_closids"] = "3"
	if l, err := Layout(files(t, all)); err != nil || l.Groups != 2 {
		t.Errorf("%v, %v", l, err)
	}
	all["info/SMBA/num_closids"] = "1"
	if _, err := Layout(files(t, all)); !errors.Is(err, host.ErrNotHere) {
		t.Error(err)
	}
}

// Units: a percentage of the whole bandwidth.
func TestBandwidthThatIsNoPercentageIsIgnored(t *testing.T) {
	for name, change := range map[string]string{"info/MB/delay_linear": "0", "schemata": "MB:0=4294967295\nL3:0=7ff\n"} {
		all := server()
		all[name] = change
		l, err := Layout(files(t, all))
		if err != nil || l.Bandwidth != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
}

func TestErrorsNameWhatIsMissing(t *testing.T) {
	empty := t.TempDir()
	for dir, want := range map[string]string{
		filepath.Join(empty, "none"): "neither Intel RDT nor AMD QoS",
		empty:                        "mount -t resctrl",
		files(t, map[string]string{"schemata": "X:0=1\n"}): "neither cache nor memory bandwidth",
	} {
		if _, err := Layout(dir); !errors.Is(err, host.ErrNotHere) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	all := server()
	all["info/L3/cbm_mask"] = "7fe"
	if _, err := Layout(files(t, all)); err == nil {
		t.Error("a mask with a hole is accepted")
	}
}
