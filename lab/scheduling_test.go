// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// TestScheduling runs where time is counted, so that shares are exact.
func TestScheduling(t *testing.T) {
	inDom0(t, lab.Config{
		Xen: lab.VlibXen, Mode: lab.Counted, DomUs: 2, Timeout: 15 * time.Minute,
	}, "lab/scheduling")
}
