// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package xenctl

import (
	"errors"
	"testing"
)

// The lab's emulated processor can allocate nothing, and Xen reports that.
func TestLabHasNoPSR(t *testing.T) {
	h := open(t)
	for name, ask := range map[string]func() error{
		"L3":         func() error { _, err := h.L3Info(0); return err },
		"L2":         func() error { _, err := h.L2Info(0); return err },
		"bandwidth":  func() error { _, err := h.BandwidthInfo(0); return err },
		"allocation": func() error { _, err := h.Allocation(0, 0, L3Mask); return err },
		"set":        func() error { return h.SetAllocation(0, 0, L3Mask, 1) },
	} {
		if err := ask(); !errors.Is(err, ErrNotSupported) {
			t.Errorf("%s: %v, want %v", name, err, ErrNotSupported)
		}
	}
}
