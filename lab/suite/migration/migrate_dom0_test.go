// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package migration

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

const (
	name = "vlib1"
	// receiver is where the target's Dom0 receives domains; reports are sent to
	// the source's Dom0.
	receiver = "10.0.0.2:1000"
	reports  = "10.0.0.1:1001"
	arrived  = "it serves, and is on its reservation"
)

// carry makes this program a connection between its parent, 'xl migrate', and the
// receiver.
const carry = "MIGRATION_CARRY"

func TestMain(m *testing.M) {
	if os.Getenv(carry) != "" {
		if err := carryDomain(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testkit.Main(m)
}

func carryDomain() error {
	conn, err := dial(receiver)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(conn, os.Stdin)
		conn.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, conn)
	return err
}

// dial connects to the other machine, which may still boot.
func dial(address string) (conn net.Conn, err error) {
	if !testkit.Holds(func() bool {
		conn, err = net.DialTimeout("tcp", address, time.Second)
		return err == nil
	}) {
		return nil, err
	}
	return conn, nil
}

// serve runs a master that is configured to adopt the domain.
func serve(t *testing.T) {
	t.Helper()
	config := t.TempDir() + "/vlibos.toml"
	text := fmt.Sprintf("[[adopt]]\ndomain = %q\nbudget = \"10ms\"\nperiod = \"100ms\"\n", name)
	host.Must(t, os.WriteFile(config, []byte(text), 0o644))
	host.Serve(t, "--config", config)
}

// TestSource migrates the domain away while it is called without a pause.
func TestSource(t *testing.T) {
	reported, err := net.Listen("tcp", reports)
	host.Must(t, err)
	defer reported.Close()
	serve(t)
	c, err := host.TryOpen(t, host.DomainID(t, name), vlibcall.Options{Timeout: testkit.Patience})
	host.Must(t, err)
	var calls int
	var ended error
	var caller sync.WaitGroup
	caller.Go(func() {
		for ended == nil {
			if _, ended = c.Call(t.Context(), builtin.Library, builtin.Echo, []byte("x"), nil); ended == nil {
				calls++
			}
		}
	})
	begun := time.Now()
	out := host.Run(t, "xl", "migrate", "--live", "-s", "", name, carry+"=1 "+os.Args[0])
	t.Logf("migrated in %v\n%s", time.Since(begun), out)
	caller.Wait()
	t.Logf("%d calls were answered, then: %v", calls, ended)
	if calls == 0 || !errors.Is(ended, vlibcall.ErrGone) || !strings.Contains(ended.Error(), "has migrated") {
		t.Errorf("%d calls, then: %v", calls, ended)
	}
	c.Close()
	conn, err := reported.Accept()
	host.Must(t, err)
	report, err := io.ReadAll(conn)
	if err != nil || string(report) != arrived {
		t.Errorf("the target reports %q, %v", report, err)
	}
}

// TestTarget receives the domain, and calls it.
func TestTarget(t *testing.T) {
	serve(t)
	l, err := net.Listen("tcp", receiver)
	host.Must(t, err)
	conn, err := l.Accept()
	host.Must(t, err)
	l.Close()
	f, err := conn.(*net.TCPConn).File()
	host.Must(t, err)
	conn.Close()
	receive := exec.Command("xl", "migrate-receive")
	receive.Stdin, receive.Stdout, receive.Stderr = f, f, os.Stderr
	host.Must(t, receive.Run())
	f.Close()
	id := host.DomainID(t, name)
	testkit.Eventually(t, "its server is up", func() bool {
		_, status := host.Command(t, "xenstore-exists", fmt.Sprintf("/local/domain/%d/data/vlibos/1/server", id))
		return status == 0
	})
	c := host.Open(t, id, vlibcall.Options{Timeout: testkit.Patience})
	if out := host.RunIn(t, c, "hostname"); out != name {
		t.Errorf("its host name is %q", out)
	}
	m, _ := host.Module(t)
	testkit.Eventually(t, "it is on its reservation", func() bool {
		d, err := m.Domain(id)
		return err == nil && d.Reservation != 0
	})
	report, err := dial(reports)
	host.Must(t, err)
	fmt.Fprint(report, arrived)
	report.Close()
}
