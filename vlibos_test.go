// SPDX-License-Identifier: Apache-2.0

package vlibos_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall"
)

const module = "github.com/vlibos/vlibos"

// A tool that imports the project does not build the daemon.
func TestToolsBuildNoDaemon(t *testing.T) {
	const most = 25
	for _, pkg := range []string{module, module + "/dom0/client"} {
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		var ours []string
		for _, dep := range strings.Fields(string(out)) {
			if dep == module || strings.HasPrefix(dep, module+"/") {
				ours = append(ours, dep)
			}
			for _, banned := range []string{"github.com/BurntSushi/toml", "github.com/prometheus", "github.com/urfave/cli",
				module + "/dom0/gateway", module + "/dom0/master", module + "/dom0/config", module + "/dom0/control", module + "/domu-server"} {
				if dep == banned || strings.HasPrefix(dep, banned+"/") {
					t.Errorf("%s builds %s", pkg, dep)
				}
			}
		}
		if len(ours) > most {
			t.Errorf("%s builds %d packages of ours, at most %d: %v", pkg, len(ours), most, ours)
		}
		t.Logf("%s builds %d packages of ours", pkg, len(ours))
	}
}

func open(t *testing.T, o vlibos.Options, ref string) *vlibos.Domain {
	t.Helper()
	d, err := o.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestErrorsAreTheUsualOnes(t *testing.T) {
	ctx := t.Context()
	closed := open(t, vlibos.Options{}, "text")
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	web := open(t, vlibos.Options{}, "web")
	_, noDomain := vlibos.Open(ctx, "wbe")
	_, noServer := vlibos.Options{Port: 7}.Open(ctx, "web")
	_, afterClose := closed.Call(ctx, "text", "upper", nil)
	_, noFunction := web.CallC(ctx, "libm.so.6", "csc", "f64(f64)", 0.5)
	_, notOne := web.CallC(ctx, "libm.so.6", "cos", "f64(f65)", 0.5)
	_, notFitting := web.CallC(ctx, "libm.so.6", "cos", "f64(f64)", "half")
	_, pending := web.Go(ctx, "libnosuch.so", "f", nil).Result()
	_, noSession := web.Session(ctx, "", "f")
	session, err := web.Session(ctx, "libm.so.6", "cos")
	if err != nil {
		t.Fatal(err)
	}
	_, inSession := session.Call(ctx, []byte("text"), nil)
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	_, tooMuch := vlibos.Reserve(ctx, vlibos.ReserveOptions{Budget: time.Second, Period: time.Second})
	_, noMaster := vlibos.Reserve(ctx, vlibos.ReserveOptions{Budget: time.Millisecond, Period: time.Second, RunDir: t.TempDir()})
	for what, tt := range map[string]struct {
		err, want error
		text      string
	}{
		"no domain":    {noDomain, host.ErrNoDomain, `domain "wbe"`},
		"no server":    {noServer, directory.ErrNoServer, "port 7"},
		"closed":       {afterClose, os.ErrClosed, "domain text: call text:upper: closed"},
		"no function":  {noFunction, vlibcall.ErrNoFunction, "domain web: call libm.so.6:csc"},
		"no signature": {notOne, vlibcall.ErrSignature, "domain web: call libm.so.6:cos"},
		"not the type": {notFitting, vlibcall.ErrSignature, "domain web: call libm.so.6:cos"},
		"pending":      {pending, vlibcall.ErrNoLibrary, "domain web: call libnosuch.so:f"},
		"session":      {noSession, vlibcall.ErrBadRequest, "domain web: session :f"},
		"in a session": {inSession, vlibcall.ErrBadRequest, "domain web: call libm.so.6:cos"},
		"does not fit": {tooMuch, host.ErrNotAdmitted, ""},
		"no master":    {noMaster, api.ErrNoMaster, ""},
	} {
		if !errors.Is(tt.err, tt.want) || !strings.Contains(tt.err.Error(), tt.text) {
			t.Errorf("%s: %v, want %v with %q", what, tt.err, tt.want, tt.text)
		}
	}
	if _, err := web.Call(done(), "vlib", "echo", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("call with a context that has ended: %v", err)
	}
}

// A server's name cannot lead out of the directory of domains, and a name that is
// taken is refused with a way out.
func TestServerHasANameOfItsOwn(t *testing.T) {
	for name, want := range map[string]string{
		"a/b": "name of a directory", "../x": "name of a directory", "..": "name of a directory",
		"text": "choose another name or port",
	} {
		s, err := vlibos.NewServer(t.Context(), vlibos.ServerOptions{Name: name, Native: true})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want …%s…", name, err, want)
		}
	}
}

func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// A program that 'vlibmaster run' has started calls on its reservation, unless it
// says otherwise.
func TestReservationOfTheEnvironmentPays(t *testing.T) {
	t.Setenv(vlibos.Environment, "2048")
	if _, err := vlibos.Open(t.Context(), "text"); !errors.Is(err, vlibcall.ErrReservation) {
		t.Errorf("a server without a ledger takes a reservation: %v", err)
	}
	open(t, vlibos.Options{Unpaid: true}, "text")
	t.Setenv(vlibos.Environment, "many")
	if _, err := vlibos.Open(t.Context(), "text"); err == nil || !strings.Contains(err.Error(), vlibos.Environment) {
		t.Errorf("a number that is none: %v", err)
	}
}

func TestThreadHasAReservationUntilClose(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := vlibos.Reserve(t.Context(), vlibos.ReserveOptions{
		Budget: time.Millisecond, Period: 100 * time.Millisecond, Calls: []string{"web"}, Thread: true, Name: "a thread",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(filepath.Join(os.Getenv("VLIBOS_RUN_DIR"), api.SocketName))
	defer c.Close()
	h, err := c.Host(t.Context())
	if err != nil || len(h.Reservations) != 1 || h.Reservations[0].Name != "a thread" || h.Reservations[0].Threads.TID == 0 ||
		len(h.Reservations[0].Callees) != 1 || uint32(r.Number()) != h.Reservations[0].ID {
		t.Errorf("%+v, %v", h.Reservations, err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if h, err := c.Host(t.Context()); err != nil || len(h.Reservations) != 0 {
		t.Errorf("after Close: %+v, %v", h.Reservations, err)
	}
}

// What ExampleReserve prints depends on what this user may do, so it is run here.
func TestExampleOfAReservationRuns(t *testing.T) {
	if !paid {
		t.Skip("a server takes reservations in a cgroup of its own: needs root, and cgroups")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	stdout := os.Stdout
	os.Stdout = w
	ExampleReserve()
	os.Stdout = stdout
	w.Close()
	if out, err := io.ReadAll(r); string(out) != "0.8775825618903728\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// Where a master serves, it knows what tools have called; where its directory
// cannot be used, the tool may hear why.
func TestCallsAreCountedForTheMaster(t *testing.T) {
	d := open(t, vlibos.Options{}, "text")
	if _, err := d.Call(t.Context(), "text", "upper", []byte("x")); err != nil {
		t.Fatal(err)
	}
	c := client.New(filepath.Join(os.Getenv("VLIBOS_RUN_DIR"), api.SocketName))
	defer c.Close()
	all, err := c.Calls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counted := false
	for _, a := range all.Accounts {
		counted = counted || a.Name == "text" && a.Function == "upper"
	}
	if !counted {
		t.Errorf("not among %+v", all.Accounts)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var why error
	open(t, vlibos.Options{RunDir: file, NotCounted: func(err error) { why = err }}, "text")
	if why == nil || errors.Is(why, fs.ErrNotExist) {
		t.Errorf("a directory that is a file: %v", why)
	}
}
