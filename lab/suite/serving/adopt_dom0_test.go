// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// xlTime returns a domain's CPU time in seconds, as 'xl list' shows it.
func xlTime(t *testing.T, domain string) float64 {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(host.Run(t, "xl", "list", domain)), "\n")
	words := strings.Fields(lines[len(lines)-1])
	s, err := strconv.ParseFloat(words[len(words)-1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// share returns which part of the time a domain ran in foreground, and how long it ran
// in total, in seconds, which is compared with Xen's own account.
func share(t *testing.T, domain string, during time.Duration) (foreground, used float64) {
	t.Helper()
	before, xlBefore, begun := adopted(t, domain), xlTime(t, domain), time.Now()
	time.Sleep(during)
	after, xlAfter, took := adopted(t, domain), xlTime(t, domain), time.Since(begun)
	foreground = float64(after.Foreground-before.Foreground) / float64(took)
	used = (after.Foreground + after.Background - before.Foreground - before.Background).Seconds()
	xl := xlAfter - xlBefore
	t.Logf("in %v: foreground %.3f %%, %.2f s in total by ps, %.2f s by xl list", took, 100*foreground, used, xl)
	// xl prints tenths of a second, and reads them at another moment.
	if math.Abs(used-xl) > 0.01*used+0.3 {
		t.Errorf("%.2f s by ps, %.2f s by xl list", used, xl)
	}
	return foreground, used
}

// Of two domains that spin on one CPU, the adopted one has its share in foreground, and
// Xen's account agrees.
func TestAdoptedDomainHasItsShareInForeground(t *testing.T) {
	host.Serve(t)
	spin(t, "vlib1")
	spin(t, "vlib2")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	time.Sleep(time.Second)
	foreground, _ := share(t, "vlib1", 20*time.Second)
	if math.Abs(foreground-0.1) > 0.01*0.1+0.001 {
		t.Errorf("foreground %.3f %%, want 10 %%", 100*foreground)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
	if h := ps(t); len(h.Reservations) != 0 || h.Host != "module" {
		t.Errorf("%+v", h)
	}
}

// A reservation that does not fit is refused, and so is a domain that may not have one.
func TestRefusalsHaveTheirExitStatus(t *testing.T) {
	host.Serve(t)
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "50ms", "--period", "100ms")
	for _, tt := range []struct {
		args   []string
		status int
		words  string
	}{
		{[]string{"adopt", "vlib2", "--budget", "50ms", "--period", "100ms"}, 17, "would fit"},
		{[]string{"adopt", "vlib2", "--budget", "0s", "--period", "100ms"}, 2, "20µs"},
		{[]string{"adopt", "vlib2", "--budget", "1ns", "--period", "100ms"}, 2, "20µs"},
		{[]string{"adopt", "vlib2", "--budget", "200ms", "--period", "100ms"}, 2, "100ms"},
		{[]string{"adopt", "vlib2", "--budget", "2562047h", "--period", "2562047h"}, 2, "10s"},
		{[]string{"adopt", "0", "--budget", "1ms", "--period", "100ms"}, 11, "control"},
		{[]string{"adopt", "nobody", "--budget", "1ms", "--period", "100ms"}, 3, "vlib2"},
		{[]string{"release", "vlib2"}, 3, "has no reservation: 'vlibmaster ps' lists"},
		{[]string{"serve"}, 19, "another vlibmaster"},
		{[]string{"serve", "--run-dir", t.TempDir()}, 19, "another vlibmaster"},
		{[]string{"ps", "--run-dir", "/nowhere"}, 16, "vlibmaster serve"},
	} {
		out, status := host.Command(t, "vlibmaster", tt.args...)
		if status != tt.status || !strings.Contains(out, tt.words) {
			t.Errorf("%v: status %d, want %d with %q:\n%s", tt.args, status, tt.status, tt.words, out)
		}
	}
	if h := ps(t); len(h.Reservations) != 1 || h.Reservations[0].Budget != 50*ms {
		t.Errorf("%+v", h)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// A master that is killed or stopped changes nothing for the domains. The next one
// finds everything again.
func TestDomainsOutliveTheirMaster(t *testing.T) {
	d := host.Serve(t)
	spin(t, "vlib1")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "20ms", "--period", "100ms")
	time.Sleep(time.Second)
	before := adopted(t, "vlib1")
	if err := d.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second)
	if err := d.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	stopped := adopted(t, "vlib1")
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	if out, status := host.Command(t, "vlibmaster", "ps"); status != 16 {
		t.Errorf("ps without a master: status %d\n%s", status, out)
	}
	host.Serve(t)
	after := adopted(t, "vlib1")
	if after.ID != before.ID || after.On() != before.On() || after.Problem != "" ||
		stopped.Foreground < before.Foreground+time.Second || after.Foreground < stopped.Foreground {
		t.Errorf("before %+v\nafter 10 s without a master %+v\nwith the next one %+v", before, stopped, after)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// A domain that is destroyed and created again, with another number, is on its
// reservation again, whether it was adopted by a command or by the configuration.
func TestRestartedDomainIsOnItsReservationAgain(t *testing.T) {
	const uuid = "6f1d3a52-93c8-4d0b-8f55-1f2b6f3c7a10"
	dir := t.TempDir()
	guest := filepath.Join(dir, "guest")
	config := filepath.Join(dir, "vlibmaster.toml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A kernel without a root file system waits for it.
	write(guest, fmt.Sprintf("name = 'again'\nuuid = '%s'\nkernel = '%s'\nextra = 'rootwait root=/dev/none'\nmemory = 128\n", uuid, image.Kernel))
	write(config, "[[adopt]]\ndomain = '"+uuid+"'\nbudget = '5ms'\nperiod = '50ms'\n")
	d := host.Serve(t, "--config", config)
	host.Run(t, "xl", "create", guest)
	t.Cleanup(func() { host.Command(t, "xl", "destroy", "again") })
	on := func(what string, budget time.Duration) string {
		t.Helper()
		var domain string
		testkit.Eventually(t, what, func() bool {
			for _, s := range ps(t).Reservations {
				if s.UUIDs() == uuid && s.Running() && s.Problem == "" && s.Budget == budget && s.Foreground > 0 {
					domain = s.On()
					return true
				}
			}
			return false
		})
		return domain
	}
	first := on("the configured domain is adopted", 5*ms)
	host.Run(t, "xl", "destroy", "again")
	testkit.Eventually(t, "the master notices that it is destroyed", func() bool { return adopted(t, "again").On() == "" })
	host.Run(t, "xl", "create", guest)
	if second := on("the recreated domain is adopted", 5*ms); second == first {
		t.Errorf("the new domain also has the number %s", second)
	}
	write(config, "[[adopt]]\ndomain = '"+uuid+"'\nbudget = '8ms'\nperiod = '50ms'\n")
	hup := func(says string) {
		t.Helper()
		if err := d.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		d.Says(t, says)
	}
	hup("configuration taken")
	on("the new configuration holds", 8*ms)
	write(config, "[[adopt]]\ndomain = '"+uuid+"'\nbudget = '8 ms'\n")
	hup(config + ":3: ")
	on("a broken configuration changes nothing", 8*ms)
	write(config, "[[adopt]]\ndomain = 'vlib1'\nbudget = '99ms'\nperiod = '100ms'\n")
	hup("not admitted")
	on("an impossible configuration changes nothing", 8*ms)
	out, status := host.Command(t, "vlibmaster", "admit", "--dry-run", config)
	if status != 17 || !strings.Contains(out, "would fit") {
		t.Errorf("admit: status %d\n%s", status, out)
	}
	host.Run(t, "vlibmaster", "release", uuid)
}
