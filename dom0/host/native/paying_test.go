// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	channels "github.com/vlibos/vlibos/vlibcall/transport/native"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

func payFor(t *testing.T, p *Host, d host.Domain, id uint32, budget, period time.Duration) {
	t.Helper()
	if err := p.Renew(time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := p.Reserve(ctx, calls(d, task(id, budget, period))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Unreserve(ctx, calls(d, rtsched.Task{ID: id})); err != nil {
			t.Error(err)
		}
	})
}

func paid(t *testing.T, p *Host, id uint32) host.Usage {
	t.Helper()
	u, err := p.Usage(ctx, calls(host.Domain{}, rtsched.Task{ID: id}))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// paidChannel is one whose calls a reservation pays for.
func paidChannel(t *testing.T, p *Host, name string, id uint32) *vlibcall.Channel {
	t.Helper()
	c, err := vlibcall.Open(ctx, channels.Domain(filepath.Join(p.k.servers, name)), vlibcall.Options{Size: 8192, Reservation: transport.Reservation(id)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// uses has the server use that many ms of CPU time.
func uses(c *vlibcall.Channel, ms byte) error {
	_, err := c.Call(ctx, "t", "use", []byte{ms}, nil)
	return err
}

// Calls for which a reservation without threads pays have its budget in every
// period, and are in background beyond it: beside one that always wants the CPU
// they get little more.
func TestPay(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		const budget, period, work = 10 * ms, 100 * ms, 100 * ms
		cpu := lastCPU(t, p)
		db := startServer(t, p, "db")
		pin(t, p, db, cpu)
		other, _ := start(t, p, "other", spin)
		pin(t, p, other, cpu)
		payFor(t, p, db, 2048, budget, period)
		if idle := paid(t, p, 2048); idle.Left != budget || idle.Foreground != 0 {
			t.Errorf("before the first call: %+v", idle)
		}
		c := paidChannel(t, p, "db", 2048)
		begun := time.Now()
		if err := uses(c, byte(work/ms)); err != nil {
			t.Fatal(err)
		}
		took, u := time.Since(begun), paid(t, p, 2048)
		t.Logf("%v of CPU time took %v: %v in foreground, %v in background", work, took, u.Foreground, u.Background)
		// The next budget pays for use beyond the last one, which is foreground then.
		testkit.Eventually(t, "all is charged", func() bool {
			u = paid(t, p, 2048)
			return u.Foreground+u.Background >= work
		})
		if all := u.Foreground + u.Background; all > work*3/2 {
			t.Errorf("%v are charged for %v: %+v", all, work, u)
		}
		// One period more may have begun than ended; what a late look let
		// through is paid back.
		if most := (took/period + 2) * 2 * budget; u.Foreground > most || u.Foreground < budget {
			t.Errorf("%v of foreground in %v, want at most %v", u.Foreground, took, most)
		}
		slot := slotOf(t, p, "db", 2048)
		if slot.Used < work || slot.Background == 0 || slot.Deschedules == 0 {
			t.Errorf("the ledger: %+v", slot)
		}
		// A call is in background while its budget is gone, and only then.
		pending := c.Go(ctx, "t", "use", []byte{byte(work / ms)}, nil)
		testkit.Eventually(t, "the callee is in background", func() bool { return backgrounded(t, p, "db") })
		testkit.Eventually(t, "the callee is in foreground", func() bool { return !backgrounded(t, p, "db") })
		if _, err := pending.Result(); err != nil {
			t.Error(err)
		}
		testkit.Eventually(t, "it rests, with all of its budget", func() bool { return paid(t, p, 2048).Left == budget })
	})
}

// While the keeper is late its assistant makes threads ordinary ones: the keeper does not
// take a callee to be in foreground that is not.
func TestCalleeIsRaisedAgainAfterALateKeeper(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		db := startServer(t, p, "db")
		payFor(t, p, db, 2048, 10*ms, 100*ms)
		// Again, since the machine may make the keeper late once more.
		testkit.Eventually(t, "the callee is raised by the next look", func() bool {
			if err := p.k.Do(ctx, func() {
				if err := p.k.raise(p.k.callees["db"].group, 100*ms, false); err != nil {
					t.Error(err)
				}
				p.k.late()
				p.k.Look(p.k.Entry(2048))
			}); err != nil {
				t.Fatal(err)
			}
			return !backgrounded(t, p, "db")
		})
	})
}

func slotOf(t *testing.T, p *Host, name string, id uint32) ledger.Slot {
	t.Helper()
	r, err := ledger.OpenReader(filepath.Join(p.k.servers, name))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := r.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A reservation that pays for calls ends with Unreserve: its calls are refused, its domain is ordinary.
func TestDomainIsOrdinaryAfterItsLastPayingReservation(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		db := startServer(t, p, "db")
		payFor(t, p, db, 2048, 10*ms, 100*ms)
		payFor(t, p, db, 2049, 10*ms, 100*ms)
		c := paidChannel(t, p, "db", 2048)
		if err := uses(c, 1); err != nil {
			t.Fatal(err)
		}
		if err := p.Unreserve(ctx, calls(db, rtsched.Task{ID: 2048})); err != nil {
			t.Fatal(err)
		}
		if err := uses(c, 1); !errors.Is(err, vlibcall.ErrDenied) {
			t.Errorf("on a reservation that has ended: %v", err)
		}
		if _, err := p.Usage(ctx, calls(host.Domain{}, rtsched.Task{ID: 2048})); !errors.Is(err, host.ErrNoDomain) {
			t.Errorf("what it used: %v", err)
		}
		if got := shares(t, p, "db"); !p.k.byPriority && got != heaviest.text(p.layout.cpu.version) {
			t.Errorf("another still pays, and the weight is %s", got)
		}
		if err := p.Unreserve(ctx, calls(db, rtsched.Task{ID: 2049})); err != nil {
			t.Fatal(err)
		}
		if got := shares(t, p, "db"); got != standard.text(p.layout.cpu.version) {
			t.Errorf("no reservation pays, and the weight is %s", got)
		}
		if err := p.Reserve(ctx, calls(domain("none"), task(2048, ms, 10*ms))); !errors.Is(err, host.ErrNoDomain) {
			t.Errorf("paying for no domain: %v", err)
		}
	})
}

// The time used stays on the account when the budget changes; a domain, or a
// server, that is recreated is found again.
func TestPayAgain(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		p.k.servers = t.TempDir()
		db, _ := start(t, p, "db", "sleep 1000") // there is no server yet
		payFor(t, p, db, 2048, 50*ms, 100*ms)
		if err := p.Remove(ctx, "db"); err != nil {
			t.Fatal(err)
		}
		db = startServer(t, p, "db")
		payFor(t, p, db, 2048, 50*ms, 100*ms)
		if err := uses(paidChannel(t, p, "db", 2048), 3); err != nil {
			t.Fatal(err)
		}
		before := paid(t, p, 2048)
		if before.Foreground < 3*ms || before.Left > 47*ms {
			t.Errorf("%+v", before)
		}
		payFor(t, p, db, 2048, 50*ms, 100*ms) // as the next channel does
		if again := paid(t, p, 2048); again.Foreground < before.Foreground || again.Left == 0 {
			t.Errorf("%+v, then %+v", before, again)
		}
		payFor(t, p, db, 2048, 5*ms, 100*ms)
		if changed := paid(t, p, 2048); changed.Left > 5*ms || changed.Foreground < before.Foreground {
			t.Errorf("%+v, then %+v", before, changed)
		}
	})
}

// payer is a daemon that pays for calls to the domain db until it is killed.
func payer(arg, servers string) error {
	p, err := openNamed(arg, Options{Servers: servers})
	if err != nil {
		return err
	}
	if err := p.Renew(testLease); err != nil {
		return err
	}
	cpus, err := p.cpusOf("db")
	if err != nil {
		return err
	}
	d := domain("db")
	d.CPUs = cpus
	if err := p.Reserve(ctx, calls(d, task(2048, 10*ms, 100*ms))); err != nil {
		return err
	}
	fmt.Println("pays")
	for {
		time.Sleep(testRenewal)
		if err := p.Renew(testLease); err != nil {
			return err
		}
	}
}

// A daemon that is killed leaves no weight, and no reservation that pays.
func TestPayerDies(t *testing.T) {
	waits(t, func(t *testing.T, p *Host, o Options) {
		startServer(t, p, "db")
		cmd := exec.Command(os.Args[0], "payer", fmt.Sprintf("%d:%s", o.Version, o.Parent), p.k.servers)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "pays\n" {
			t.Fatalf("the daemon said %q, %v", line, err)
		}
		c := paidChannel(t, p, "db", 2048)
		if err := uses(c, 1); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "calls are refused", func() bool { return errors.Is(uses(c, 1), vlibcall.ErrDenied) })
		testkit.Eventually(t, "the weights are the standard ones", func() bool {
			return shares(t, p, "db") == standard.text(p.layout.cpu.version) && shares(t, p, "") == standard.text(p.layout.cpu.version)
		})
		testkit.Eventually(t, "the guard ends", func() bool { return !guarded(t, o.Parent) })
	})
}
