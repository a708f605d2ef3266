// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"errors"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	us = time.Microsecond
	ms = time.Millisecond
	s  = time.Second
)

func TestValidateNamesTheValueAndItsBounds(t *testing.T) {
	for _, tt := range []struct {
		budget, period time.Duration
		want           string // in the error; "": none
	}{
		{20 * us, 200 * us, ""},
		{200 * us, 200 * us, ""},
		{20 * us, 10 * s, ""},
		{10 * s, 10 * s, ""},
		{20*us - 1, 200 * us, "budget 19.999µs is out of range: 20µs to its period, 200µs"},
		{200*us + 1, 200 * us, "budget 200.001µs is out of range: 20µs to its period, 200µs"},
		{20 * us, 200*us - 1, "period 199.999µs is out of range: 200µs to 10s"},
		{20 * us, 10*s + 1, "period 10.000000001s is out of range: 200µs to 10s"},
		{0, 0, "period 0s"},
		{-1, ms, "budget -1ns"},
		{ms, -ms, "period -1ms"},
		{math.MinInt64, math.MaxInt64, "period"},
		{math.MaxInt64, 10 * s, "budget"},
	} {
		err := Task{7, tt.budget, tt.period}.Validate()
		if tt.want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if !errors.Is(err, ErrRange) || !strings.Contains(err.Error(), "reservation 7: "+tt.want) {
			t.Errorf("%v every %v: %v, want …%s…", tt.budget, tt.period, err, tt.want)
		}
	}
}

func TestBoundsEqualTheModules(t *testing.T) {
	header, err := os.ReadFile("../hypervisor/xen/include/public/vlib.h")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]time.Duration{
		"VLIB_MIN_BUDGET": MinBudget, "VLIB_MIN_PERIOD": MinPeriod, "VLIB_MAX_PERIOD": MaxPeriod,
	} {
		found := regexp.MustCompile(`#define ` + name + `\s+(\d+)ULL`).FindSubmatch(header)
		if found == nil || string(found[1]) != strconv.FormatInt(int64(want), 10) {
			t.Errorf("%s is %q, here %d", name, found, want)
		}
	}
}
