// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package hvm

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// inGuest is what a shell in a DomU prints.
func inGuest(t *testing.T, domain, words string) string {
	t.Helper()
	return strings.TrimSpace(host.Run(t, "vlibmaster", "call", domain, "vlib", "run", "--", "sh", "-c", words))
}

func answersCos(t *testing.T, domain string) {
	t.Helper()
	out := host.Run(t, "vlibmaster", "call", domain, "libm.so.6", "cos", "--sig", "f64(f64)", "0.5")
	if strings.TrimSpace(out) != "0.8775825618903728" {
		t.Errorf("cos(0.5) in %s is %q", domain, out)
	}
}

func TestGuestAnswersCalls(t *testing.T) {
	if out := host.Run(t, "xl", "list", "-l", "vlib1"); !strings.Contains(out, `"type": "hvm"`) {
		t.Fatalf("vlib1 is no HVM guest:\n%s", out)
	}
	answersCos(t, "vlib1")
}

// The registers of the second drive of the first IDE channel (ATA, taskfile).
const (
	choose  = "printf '\\360' | dd of=/dev/port bs=1 seek=502 2>/dev/null; "
	status  = "dd if=/dev/port bs=1 skip=503 count=1 2>/dev/null | od -An -tu1; "
	sector0 = "printf '\\001\\000\\000\\000\\360\\040' | dd of=/dev/port bs=1 seek=498 2>/dev/null; sleep 1; "
)

// Status bits of a drive: ready, and data to be read.
const ready, data = 1 << 6, 1 << 3

// drive returns the emulated drive's status after words, without which there is no drive.
func drive(t *testing.T, domain, words string) (bits int) {
	t.Helper()
	out := inGuest(t, domain, choose+words+status)
	if _, err := fmt.Sscan(out, &bits); err != nil {
		t.Fatalf("the status of the emulated drive is %q: %v", out, err)
	}
	return bits
}

// With xen_emul_unplug=unnecessary the guest keeps its emulated drive, for which its PV
// driver then does not care (Linux's blkfront_probe), beside other PV devices.
func TestEmulatedDriveReads(t *testing.T) {
	if bits := drive(t, "vlib1", ""); bits&(ready|data) != ready || bits == 0xff {
		t.Fatalf("the emulated drive is not ready: status %#x", bits)
	}
	if bits := drive(t, "vlib1", sector0); bits&(ready|data) != ready|data {
		t.Errorf("the emulated drive has read nothing: status %#x", bits)
	}
	if got := inGuest(t, "vlib1", "ls /dev | grep xvdb || echo none"); got != "none" {
		t.Errorf("the drive is a PV disk, too: %q", got)
	}
	answersCos(t, "vlib1")
}

// Beside another that spins on its CPU, an adopted guest that spins has its budget in
// foreground: exactly by the module, within a hundredth of the CPU by the daemon.
func TestAdoptedGuestHasItsShare(t *testing.T) {
	host.Serve(t)
	tolerance := 0.01
	if host.All(t).Host == "module" {
		tolerance = 0.002
	}
	spinBeside(t)
	host.Keep(t, "vlib1", "while :; do :; done")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	time.Sleep(time.Second)
	before, sBefore := host.Domain(t, "vlib1")
	begun := time.Now()
	time.Sleep(5 * time.Second)
	after, sAfter := host.Domain(t, "vlib1")
	took := time.Since(begun)
	share := float64(sAfter.Foreground-sBefore.Foreground) / float64(took)
	background := float64(sAfter.Background-sBefore.Background) / float64(took)
	used := float64(after.CPU-before.CPU) / float64(took)
	t.Logf("in %v: foreground %.3f %%, background %.3f %%, by Xen's account %.3f %%", took, 100*share, 100*background, 100*used)
	if math.Abs(share-0.1) > tolerance {
		t.Errorf("foreground %.3f %%, want 10 ± %.1f", 100*share, 100*tolerance)
	}
	if math.Abs(share+background-used) > 0.01 {
		t.Errorf("%.3f %% were charged, %.3f %% were used", 100*(share+background), 100*used)
	}
	if used > 0.7 {
		t.Errorf("it had %.3f %% of a CPU, on which another spins", 100*used)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// A guest is saved with the state of its device model, and has another one afterwards,
// which is on its reservation again.
func TestGuestIsSavedAndRestored(t *testing.T) {
	host.Serve(t)
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "20ms", "--period", "100ms", "--with-device-model")
	was := model(t, "vlib1")
	file := filepath.Join(t.TempDir(), "saved")
	begun := time.Now()
	host.Run(t, "xl", "save", "vlib1", file)
	t.Logf("saved in %v", time.Since(begun))
	host.Run(t, "xl", "restore", file)
	host.Must(t, os.Remove(file)) // Dom0's files are in its memory
	id := host.DomainID(t, "vlib1")
	testkit.Eventually(t, "its server is up", func() bool {
		_, status := host.Command(t, "xenstore-exists", fmt.Sprintf("/local/domain/%d/data/vlibos/1/server", id))
		return status == 0
	})
	answersCos(t, "vlib1")
	testkit.Eventually(t, "its next device model is on its reservation", func() bool {
		_, s := host.Domain(t, "vlib1")
		return s.Problem == "" && !s.Unserved()
	})
	if now := model(t, "vlib1"); now.PID == was.PID || now.Start == was.Start {
		t.Errorf("its device model is the same: %+v", now)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
}
