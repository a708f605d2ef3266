// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package grant

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A child is this test binary in another process, with childMode set. It maps a
// page of the parent and does what the mode says.
const (
	childMode = "GRANT_LAB_CHILD"
	childRef  = "GRANT_LAB_REF"
	childPort = "GRANT_LAB_PORT"
)

// child starts this test, alone, as another process.
func child(t *testing.T, mode string, ref, port uint32) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	out := new(bytes.Buffer)
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), childMode+"="+mode,
		fmt.Sprintf("%s=%d", childRef, ref), fmt.Sprintf("%s=%d", childPort, port))
	cmd.Stdout, cmd.Stderr = out, out
	check(t, cmd.Start())
	return cmd, out
}

func childNumber(t *testing.T, name string) uint32 {
	n, err := strconv.ParseUint(os.Getenv(name), 10, 32)
	check(t, err)
	return uint32(n)
}

func TestLabReadOnlyMappingCannotBeWritten(t *testing.T) {
	if os.Getenv(childMode) != "" {
		mapping := mapOne(t, childNumber(t, childRef), false, nil)
		mapping.Bytes()[0] = 1
		fmt.Println("written")
		os.Exit(0)
	}
	pages := alloc(t, allocator(t), 1, true)
	cmd, out := child(t, "write", pages.Refs()[0], 0)
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "SIGSEGV") {
		t.Errorf("the child ended with %v:\n%s", err, out)
	}
}

func mapOne(t *testing.T, ref uint32, writable bool, n *Notify) *Mapping {
	mapping, err := mapper(t).Map(0, []uint32{ref}, writable, n)
	check(t, err)
	return mapping
}

func TestLabUnmapNotifiesTheGranter(t *testing.T) {
	m := mapper(t)
	pages := alloc(t, allocator(t), 2, true)
	here, there := newBell(t), newBell(t)
	port := here.unbound(t)
	ring := there.interdomain(t, port)
	here.drain(t)

	const offset = pageSize + 5
	mapping := mapPages(t, m, pages, true, &Notify{Clear: true, Offset: offset, Signal: true, Port: ring})
	mapping.Bytes()[offset], mapping.Bytes()[offset+1] = 1, 1
	if here.rung(t, 100*time.Millisecond) {
		t.Fatal("an event before the unmapping")
	}
	check(t, mapping.Unmap())
	if !here.rung(t, 10*time.Second) {
		t.Error("no event after the unmapping")
	}
	if b := pages.Bytes(); b[offset] != 0 || b[offset+1] != 1 {
		t.Errorf("bytes %d %d, want 0 1", b[offset], b[offset+1])
	}
}

func TestLabFreeNotifiesTheMapper(t *testing.T) {
	pages := alloc(t, allocator(t), 2, true)
	mapping := mapPages(t, mapper(t), pages, true, nil)
	here, there := newBell(t), newBell(t)
	port := here.unbound(t)
	ring := there.interdomain(t, port)
	here.drain(t)

	const offset = pageSize + 9
	check(t, pages.SetNotify(Notify{Clear: true, Offset: offset, Signal: true, Port: ring}))
	mapping.Bytes()[offset] = 1
	check(t, pages.Free())
	if !here.rung(t, 10*time.Second) {
		t.Error("no event after Free")
	}
	if b := mapping.Bytes()[offset]; b != 0 {
		t.Errorf("the byte is %d", b)
	}
}

// The kernel notifies for a killed process, too.
func TestLabDeathOfTheMapperNotifiesTheGranter(t *testing.T) {
	if os.Getenv(childMode) != "" {
		ring := newBell(t).interdomain(t, childNumber(t, childPort))
		mapping := mapOne(t, childNumber(t, childRef), true, &Notify{Clear: true, Offset: 7, Signal: true, Port: ring})
		mapping.Bytes()[7] = 77
		time.Sleep(time.Hour) // until killed; an empty select would be a deadlock and end the child
	}
	pages := alloc(t, allocator(t), 1, true)
	pages.Bytes()[7] = 0
	here := newBell(t)
	cmd, out := child(t, "die", pages.Refs()[0], here.unbound(t))
	for deadline := time.Now().Add(20 * time.Second); pages.Bytes()[7] != 77; {
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			t.Fatalf("the child did not map: %s", out)
		}
		time.Sleep(time.Millisecond)
	}
	if here.rung(t, 100*time.Millisecond) {
		t.Errorf("an event before the child's death: %s", out)
	}
	check(t, cmd.Process.Kill())
	if !here.rung(t, 10*time.Second) {
		t.Error("no event after the child's death")
	}
	if b := pages.Bytes()[7]; b != 0 {
		t.Errorf("the byte is %d", b)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the child ended with %v: %s", err, out)
	}
}

// The bell is the minimal event channel for these tests; they do not import
// package evtchn.
type bell struct{ fd int }

func newBell(t *testing.T) bell {
	t.Helper()
	fd, err := unix.Open("/dev/xen/evtchn", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	check(t, err)
	t.Cleanup(func() { check(t, unix.Close(fd)) })
	return bell{fd}
}

func (b bell) bind(t *testing.T, request uintptr, args ...uint32) uint32 {
	t.Helper()
	port, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(b.fd), request, uintptr(unsafe.Pointer(&args[0])))
	if errno != 0 {
		t.Fatal(errno)
	}
	return uint32(port)
}

func (b bell) unbound(t *testing.T) uint32 { return b.bind(t, 0x00044502, 0) }

func (b bell) interdomain(t *testing.T, port uint32) uint32 { return b.bind(t, 0x00084501, 0, port) }

// rung reports whether an event arrives within the time.
func (b bell) rung(t *testing.T, within time.Duration) bool {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		ts := unix.NsecToTimespec(max(0, time.Until(deadline)).Nanoseconds())
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLIN}}, &ts, nil)
		if err == unix.EINTR {
			continue
		}
		check(t, err)
		if n == 0 {
			return false
		}
		var port [4]byte
		_, err = unix.Read(b.fd, port[:])
		check(t, err)
		_, err = unix.Write(b.fd, port[:]) // unmask
		check(t, err)
		return true
	}
}

func (b bell) drain(t *testing.T) {
	t.Helper()
	for b.rung(t, 50*time.Millisecond) {
	}
}

// A destroyed guest's page stays mapped and usable, and the rest of the guest
// goes away when it is unmapped. The page is the guest's xenstore ring, which
// every toolstack grants to Dom0 as reference 1 (GNTTAB_RESERVED_XENSTORE).
func TestLabPageOutlivesItsDestroyedGranter(t *testing.T) {
	const ring = 1
	domid := uint16(lastDomain(t))
	m := mapper(t)
	mapping, err := m.Map(domid, []uint32{ring}, true, nil)
	check(t, err)
	for empty, start := make([]byte, pageSize), time.Now(); bytes.Equal(mapping.Bytes(), empty); {
		if time.Since(start) > 30*time.Second { // it may not have booted yet
			t.Fatal("the ring of a running guest stays empty")
		}
		time.Sleep(100 * time.Millisecond)
	}
	var local [pageSize]byte
	check(t, m.Copy(domid, []Segment{{Ref: ring, Local: local[:]}}))

	destroyed := time.Now()
	if out, err := exec.Command("xl", "destroy", strconv.Itoa(int(domid))).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	time.Sleep(2 * time.Second)
	if !listed(t, domid) {
		t.Error("the domain is gone although its page is mapped")
	}
	for i := range mapping.Bytes() {
		mapping.Bytes()[i] = byte(i) // no signal, no error
	}
	if mapping.Bytes()[513] != 1 {
		t.Error("the page does not keep what is written")
	}
	err = m.Copy(domid, []Segment{{Ref: ring, Local: local[:]}})
	t.Logf("a copy from a domain that is dying: %v", err)
	again, err := m.Map(domid, []uint32{ring}, false, nil)
	t.Logf("a new mapping of a domain that is dying: %v", err)
	if err == nil {
		check(t, again.Unmap())
	}
	check(t, mapping.Unmap())
	for listed(t, domid) {
		if time.Since(destroyed) > 30*time.Second {
			t.Fatal("the domain stays after the unmapping")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// lastDomain returns the DomU with the highest number.
func lastDomain(t *testing.T) int {
	t.Helper()
	ids := domains(t)
	if len(ids) < 2 {
		t.Fatalf("domains %v: there is no DomU", ids)
	}
	return ids[len(ids)-1]
}

func listed(t *testing.T, domid uint16) bool {
	t.Helper()
	for _, id := range domains(t) {
		if id == int(domid) {
			return true
		}
	}
	return false
}

func domains(t *testing.T) []int {
	t.Helper()
	out, err := exec.Command("xl", "list").Output()
	check(t, err)
	var ids []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if id, err := strconv.Atoi(fields[1]); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}
