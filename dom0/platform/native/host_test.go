// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/flock"
)

// A host has one owner, whatever its version of cgroups and its network are, until
// that ends.
func TestHostHasOneOwner(t *testing.T) {
	versions(t, func(t *testing.T, p *Platform, o Options) {
		q := open1(t, o)
		if err := p.Own(); err != nil {
			t.Fatal(err)
		}
		if err := q.Own(); !errors.Is(err, flock.ErrTaken) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
			t.Errorf("a second owner: %v", err)
		}
		other := open1(t, Options{Parent: o.Parent, Version: 3 - o.Version})
		if err := other.Own(); !errors.Is(err, flock.ErrTaken) {
			t.Errorf("by another version: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := q.Own(); err != nil {
			t.Errorf("after the first has ended: %v", err)
		}
	})
}

// A user other than root can lock neither the host nor its guards out.
func TestUserCannotLockTheHost(t *testing.T) {
	versions(t, func(t *testing.T, p *Platform, _ Options) {
		if err := p.Own(); err != nil {
			t.Fatal(err)
		}
		for _, h := range p.layout.places() {
			for _, name := range []string{h.dir, h.dir + "/cgroup.procs"} {
				out, err := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "flock", "--nonblock", "--shared", name, "true").CombinedOutput()
				if name != h.dir && h != p.layout.cpu {
					continue // not the one that is locked
				}
				if err == nil || !strings.Contains(string(out), "ermission denied") {
					t.Errorf("%s: %v, %s", name, err, out)
				}
			}
		}
	})
}

// refused adopts the domain "kept" of a parent, "version:parent", and prints what is to be noted.
func refused(arg string) error {
	version, parent, _ := strings.Cut(arg, ":")
	v, err := strconv.Atoi(version)
	if err != nil {
		return err
	}
	p, err := Open(Options{Parent: parent, Version: v})
	if err != nil {
		return err
	}
	fmt.Println(len(p.Notes()), "before")
	err = p.Adopt(context.Background(), domain("kept"), task(1, 10*ms, 100*ms))
	for _, n := range p.Notes() {
		fmt.Println(n)
	}
	return errors.Join(err, p.Release(context.Background(), domain("kept"), 1), p.Close())
}

// A keeper that may not be real-time says so, from when it keeps a budget on.
func TestKeeperWithoutRealtimeSaysSo(t *testing.T) {
	versions(t, func(t *testing.T, p *Platform, o Options) {
		start(t, p, "kept", "sleep 1000")
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", self, "refused", fmt.Sprintf("%d:%s", o.Version, o.Parent)).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "0 before\n") || !strings.Contains(string(out), "refused real-time priority") ||
			!strings.Contains(string(out), unix.EPERM.Error()) || !strings.Contains(string(out), "CAP_SYS_NICE") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}
