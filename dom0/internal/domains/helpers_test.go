// SPDX-License-Identifier: Apache-2.0

package domains

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/xenctl"
)

func TestThreadsOfTheKernelAreToldApartByName(t *testing.T) {
	for comm, want := range map[string]int{
		"vif7.0-q0-guest-rx": 7, "vif7.0-q0-gues": 7, "vif12.1-q3-dealloc": 12, "7.xvda-0": 7, "65535.hda1-11": 65535,
		"vif7": -1, "vif7.0": -1, "vifx.0-q0": -1, "7.xvda": -1, "x7.xvda-0": -1, "kworker/7.0-1": -1, "70000.xvda-0": -1, "": -1,
	} {
		domid, ok := backendOf(comm)
		if ok != (want >= 0) || ok && int(domid) != want {
			t.Errorf("%q is of domain %d, %v; want %d", comm, domid, ok, want)
		}
	}
}

// modelOf7 starts a process that says it is the device model of domain 7, and returns the
// function that ends it.
func modelOf7(t *testing.T) (c *exec.Cmd, end func()) {
	t.Helper()
	c = exec.Command("sh", "-c", "read line", "sh", "-xen-domid", "7", "-no-shutdown")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, func() { in.Close(); c.Wait() }
}

// A number that xenstore still names may be another process's by now.
func TestDeviceModelIsTheProcessThatSaysSo(t *testing.T) {
	c, end := modelOf7(t)
	node := map[string]string{}
	s := store(node)
	l := New(fakeHost{}, &s, false)
	for _, name := range modelNodes {
		clear(node)
		node[fmt.Sprintf(name, 7)] = fmt.Sprint(c.Process.Pid)
		var all []host.Helper
		testkit.Eventually(t, "the new process has its arguments", func() bool { // exec gives them last
			all = l.Helpers(t.Context(), 7)
			return host.Model(all) != nil
		})
		m := host.Model(all)
		if m.PID != c.Process.Pid || m.Name != "sh" || m.Start == 0 {
			t.Errorf("%s: the device model is %+v", name, all)
		}
	}
	for name, pid := range map[string]int{"another process": os.Getpid(), "no process": 1 << 30} {
		clear(node)
		node[fmt.Sprintf(modelNodes[0], 7)] = fmt.Sprint(pid)
		all := l.Helpers(t.Context(), 7)
		if len(all) != 1 || !all[0].Ended || host.Model(all) != nil {
			t.Errorf("%s is the device model: %+v", name, all)
		}
	}
	clear(node)
	node[fmt.Sprintf(modelNodes[0], 8)] = fmt.Sprint(c.Process.Pid) // another domain's
	if all := l.Helpers(t.Context(), 8); host.Model(all) != nil {
		t.Errorf("domain 8 has the device model of domain 7: %+v", all)
	}
	if all := l.Helpers(t.Context(), 7); all != nil {
		t.Errorf("a domain without a device model has %+v", all)
	}
	end()
	clear(node)
	node[fmt.Sprintf(modelNodes[0], 7)] = fmt.Sprint(c.Process.Pid)
	if all := l.Helpers(t.Context(), 7); len(all) != 1 || !all[0].Ended {
		t.Errorf("a device model that has ended is %+v", all)
	}
}

// While xenstored does not answer, a device model that runs is still the domain's. It is
// not that of another domain which has the number by then.
func TestDeviceModelIsKnownWithoutXenstored(t *testing.T) {
	c, end := modelOf7(t)
	defer end()
	h := fakeHost{7: {ID: 7, CPUTime: time.Minute}}
	s := store{fmt.Sprintf(modelNodes[1], 7): fmt.Sprint(c.Process.Pid)}
	l := New(h, &s, false)
	model := func() *host.Helper {
		if _, err := l.All(t.Context()); err != nil {
			t.Fatal(err)
		}
		return host.Model(l.Helpers(t.Context(), 7))
	}
	testkit.Eventually(t, "the new process has its arguments", func() bool { return model() != nil })
	s = nil
	if m := model(); m == nil || m.PID != c.Process.Pid {
		t.Errorf("without xenstored it is %+v", m)
	}
	h[7] = xenctl.DomainInfo{ID: 7}
	if m := model(); m != nil {
		t.Errorf("another domain has it: %+v", m)
	}
	s = store{}
	h[7] = xenctl.DomainInfo{ID: 7, CPUTime: time.Minute}
	if m := model(); m != nil {
		t.Errorf("without a node it is %+v", m)
	}
}

func TestTimeOfAProcessGrows(t *testing.T) {
	pid := os.Getpid()
	was := processTime(pid)
	for range 1 << 24 {
		_ = fmt.Sprint()
		if processTime(pid) > was {
			return
		}
	}
	t.Errorf("this process has used %v, and %v later", was, processTime(pid))
}
