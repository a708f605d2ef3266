// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/lab/image"
)

// TestLivePatch loads the module into the distribution's own hypervisor, unmodified, of the
// version whose source is available.
func TestLivePatch(t *testing.T) {
	l, err := lab.LivePatch(t.Context(), image.DefaultRelease, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	inDom0(t, lab.Config{
		Xen: l.Hypervisor, Mode: lab.Counted, DomUs: 2, Timeout: 15 * time.Minute,
		Add: []lab.File{{Host: l.Patch, Guest: "/usr/lib/vlibos/livepatch/" + filepath.Base(l.Patch)}},
	}, "lab/suite/live")
}
