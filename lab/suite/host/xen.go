// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// Must ends the test if err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Xen opens the hypercall device.
func Xen(t testing.TB) *xenctl.Handle {
	t.Helper()
	h, err := xenctl.Open()
	Must(t, err)
	t.Cleanup(func() { h.Close() })
	return h
}

// Module opens the module in the hypervisor, and the hypercall device that it
// is reached through.
func Module(t testing.TB) (*vlib.Module, *xenctl.Handle) {
	t.Helper()
	h := Xen(t)
	m, err := vlib.Open(h)
	Must(t, err)
	return m, h
}

// CPUTime is how long a domain has run since it was made, by Xen's own
// accounting.
func CPUTime(t testing.TB, h *xenctl.Handle, domid uint16) time.Duration {
	t.Helper()
	info, err := h.DomainInfo(domid)
	Must(t, err)
	return info.CPUTime
}
