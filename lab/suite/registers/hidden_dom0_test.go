// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package main

import (
	"strings"
	"testing"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// A guest reads none of the counters that Xen and Dom0 use, nor how caches are allocated
// (section 3.3 of the paper): each register is refused, or reads as 0.
func TestGuestReadsNothingOfOthers(t *testing.T) {
	xen, err := xenctl.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer xen.Close()
	if module, err := vlib.Open(xen); err == nil {
		// It programs them, so that there is something to hide.
		c, err := module.Counters(0)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("Xen's module: %v, %d requests, %d of occupancy", c.Kind, c.Requests, c.Occupancy)
	}
	if text, _ := host.Command(t, "xl", "dmesg"); strings.Contains(text, "VPMU") {
		for line := range strings.Lines(text) {
			if strings.Contains(line, "VPMU") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
	if text, status := host.Command(t, "xl", "psr-hwinfo"); status == 0 {
		t.Log(text)
	}
	answers := make(map[string]int)
	kinds := make(map[string]int)
	for line := range strings.Lines(host.Run(t, "vlibmaster", "call", "1", "vlib", "run", "--", "/usr/bin/registers")) {
		what, answer, ok := strings.Cut(strings.TrimSpace(line), ": ")
		t.Log(what, answer)
		kind, rest, _ := strings.Cut(what, " ")
		if kind == "unit" {
			if strings.HasPrefix(rest, "uncore") || strings.HasPrefix(rest, "amd_") {
				t.Errorf("the guest has the unit %s", rest)
			}
			continue
		}
		kinds[kind]++
		answers[answer]++
		if answer == "0" {
			answer = "0x0"
		}
		if refused := strings.HasPrefix(answer, "E") || strings.HasPrefix(answer, "SIG"); !ok || !refused && answer != "0x0" {
			t.Errorf("%s reads %s", what, answer)
		}
	}
	t.Logf("answers: %v", answers)
	if kinds["rdmsr"] != len(registers) || kinds["rdpmc"] != len(counters) || kinds["perf"] != 3 {
		t.Errorf("it has tried %v", kinds)
	}
}
