// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// name is the domain that is saved, and payer the reservation that is charged for
// calls to it.
const (
	name  = "vlib2"
	payer = 77
)

// gated makes the domain run for calls of payer only, and opens a channel.
func gated(t *testing.T, m *vlib.Module) *vlibcall.Channel {
	t.Helper()
	id := host.DomainID(t, name)
	testkit.Eventually(t, "its server is up", func() bool {
		_, status := host.Command(t, "xenstore-exists", fmt.Sprintf("/local/domain/%d/data/vlibos/1/server", id))
		return status == 0
	})
	host.Must(t, m.SetDomain(id, vlib.Listens, 0))
	host.Must(t, m.Allow(id, payer))
	c, err := host.TryOpen(t, id, vlibcall.Options{Reservation: payer, Timeout: testkit.Patience})
	host.Must(t, err)
	t.Cleanup(func() { c.Close() }) // an error if the domain is gone
	return c
}

func reserve(t *testing.T, m *vlib.Module) {
	t.Helper()
	host.Must(t, m.Reserve(payer, 20*time.Millisecond, 100*time.Millisecond))
	t.Cleanup(func() { host.Must(t, m.Unreserve(payer)) })
}

// answers makes calls until the domain's gate closes after one.
func answers(t *testing.T, m *vlib.Module, c *vlibcall.Channel) {
	t.Helper()
	id := host.DomainID(t, name)
	testkit.Eventually(t, "its gate is closed", func() bool {
		out, err := c.Call(t.Context(), builtin.Library, builtin.Echo, []byte("x"), nil)
		if err != nil || string(out) != "x" {
			t.Fatalf("echo: %q, %v", out, err)
		}
		time.Sleep(time.Second) // a request keeps the gate open for a minute
		d, err := m.Domain(id)
		return err == nil && !d.Open
	})
}

// runs reports whether the adopted domain is on its reservation.
func runs(t *testing.T) bool {
	t.Helper()
	var h api.Host
	host.Must(t, json.Unmarshal([]byte(host.Run(t, "vlibmaster", "ps", "--json")), &h))
	for _, s := range h.Reservations {
		if s.Name == name {
			return s.Problem == "" && s.On() == strconv.Itoa(int(host.DomainID(t, name)))
		}
	}
	return false
}

func save(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "saved")
	begun := time.Now()
	host.Run(t, "xl", "save", name, file)
	t.Logf("it was saved in %v", time.Since(begun))
	return file
}

// restore returns when the domain's server is up again.
func restore(t *testing.T, m *vlib.Module, file string) *vlibcall.Channel {
	t.Helper()
	host.Run(t, "xl", "restore", file)
	host.Must(t, os.Remove(file)) // Dom0's files are in its memory
	return gated(t, m)
}

// A domain that waits for calls behind its gate is saved without any preparation,
// and restored. There its server answers calls, and can be ended.
func TestGatedDomainIsSavedAndServesAgain(t *testing.T) {
	m, _ := host.Module(t)
	host.Serve(t)
	reserve(t, m)
	host.Run(t, "vlibmaster", "adopt", name, "--budget", "10ms", "--period", "100ms")
	answers(t, m, gated(t, m))
	for range 2 {
		file := save(t)
		c := restore(t, m, file)
		answers(t, m, c)
		testkit.Eventually(t, "it is on its reservation", func() bool { return runs(t) })
	}
	// The server ends, and another one begins.
	c := gated(t, m)
	c.Call(t.Context(), builtin.Library, builtin.Run, host.Shell(t, "kill $(pidof vlib-server)"), nil)
	testkit.Eventually(t, "its next server answers", func() bool {
		c, err := host.TryOpen(t, host.DomainID(t, name), vlibcall.Options{Reservation: payer, Timeout: time.Second})
		if err != nil {
			return false
		}
		defer c.Close()
		_, err = c.Call(t.Context(), builtin.Library, builtin.Echo, nil, nil)
		return err == nil
	})
	host.Run(t, "vlibmaster", "release", name)
}

// A call that is under way when its domain is saved ends once, with an error that
// says so.
func TestCallOfASavedDomainEndsOnce(t *testing.T) {
	m, _ := host.Module(t)
	host.Serve(t)
	reserve(t, m)
	c := gated(t, m)
	ends := make(chan error, 10)
	p := c.Go(t.Context(), builtin.Library, builtin.Run, host.Shell(t, "while :; do :; done"), func(_ []byte, err error) { ends <- err })
	testkit.Eventually(t, "the call is active", func() bool {
		r, err := m.Reservation(payer)
		return err == nil && r.Call == vlib.CallActive
	})
	file := save(t)
	if _, err := p.Result(); !errors.Is(err, vlibcall.ErrGone) || !strings.Contains(err.Error(), "was saved") {
		t.Errorf("the call ended with %v", err)
	}
	c.Close() // waits for callbacks
	if len(ends) != 1 {
		t.Errorf("the call ended %d times", len(ends))
	}
	answers(t, m, restore(t, m, file))
}

// A save that fails after the domain was suspended, or that keeps it, leaves the
// domain, its channels and a call as they were.
func TestDomainThatIsNotSavedGoesOn(t *testing.T) {
	m, _ := host.Module(t)
	host.Serve(t)
	reserve(t, m)
	c := gated(t, m)
	id := host.DomainID(t, name)
	files := t.TempDir()
	for _, command := range [][]string{
		{"save", "-c", name, filepath.Join(files, "saved")},
		{"migrate", "-s", "", name, "printf 'xl migration receiver ready, send binary domain data.\\n'; head -c 1000000 >/dev/null; exit 1"},
	} {
		p := c.Go(t.Context(), builtin.Library, builtin.Run, host.Shell(t, "sleep 3; echo awake"), nil)
		testkit.Eventually(t, "the call is active", func() bool {
			r, err := m.Reservation(payer)
			return err == nil && r.Call == vlib.CallActive
		})
		out, status := host.Command(t, "xl", command...)
		os.RemoveAll(filepath.Join(files, "saved"))
		if failed := status != 0; failed != (command[0] == "migrate") {
			t.Fatalf("xl %q: status %d\n%s", command, status, out)
		}
		if now := host.DomainID(t, name); now != id {
			t.Fatalf("xl %q: domain %d is %d", command, id, now)
		}
		reply, err := p.Result()
		var outcome builtin.Outcome
		if err == nil {
			err = outcome.Decode(reply)
		}
		if err != nil || string(outcome.Stdout) != "awake\n" {
			t.Errorf("xl %q: the call's answer is %q, %v", command, outcome.Stdout, err)
		}
		answers(t, m, c)
	}
}

// What a toolstack asks of a guest reaches it although its gate is closed, whether
// it has a server or not.
func TestRequestReachesADomainWhoseGateIsClosed(t *testing.T) {
	m, _ := host.Module(t)
	host.Serve(t)
	reserve(t, m)
	id := host.DomainID(t, name)
	answers(t, m, gated(t, m))
	for _, flags := range []vlib.DomainFlags{vlib.Listens, vlib.Parks, vlib.Closed} {
		host.Must(t, m.SetDomain(id, flags, (vlib.Listens|vlib.Parks|vlib.Closed)&^flags))
		testkit.Eventually(t, "its gate is closed", func() bool {
			time.Sleep(time.Second) // a request keeps it open for a minute
			d, err := m.Domain(id)
			return err == nil && !d.Open
		})
		host.Run(t, "xl", "sysrq", name, "h")
		testkit.Eventually(t, fmt.Sprintf("a domain that is set to %v answers", flags), func() bool {
			time.Sleep(10 * time.Millisecond)
			return strings.Trim(host.Run(t, "xenstore-read", fmt.Sprintf("/local/domain/%d/control/sysrq", id)), "\\0\x00\n") == ""
		})
	}
	host.Must(t, m.SetDomain(id, 0, vlib.Closed))
}
