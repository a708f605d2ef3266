// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
)

// Samples are instruction counts, by the name of the operation.
type Samples map[string][]float64

// The operations that are counted, with 64 bytes each way.
const (
	sampleVchan    = "vchan"         // a round trip through libxenvchan, blocking
	sampleBlock    = "block"         // a call that blocks
	sampleAdaptive = "adaptive"      // a call that spins, then blocks
	sampleBatch    = "batch"         // 16 calls in flight, that block
	sampleTCP      = "tcp"           // a round trip over TCP and netfront, blocking
	sampleSession  = "session"       // a call in a session
	sampleOpen     = "open"          // a channel: offered, granted, mapped, and closed
	sampleIoctl    = "null_ioctl"    // an ioctl that the kernel refuses
	sampleXen      = "xen_hypercall" // xen_version through privcmd
)

// port is the server's.
const port = 1

const (
	// warmUp is the number of calls that are not counted: while it has little
	// to do, Go's monitor thread wakes up every 20 µs at first.
	warmUp = 400
	counts = 400
)

// Dom0 runs in Dom0. It calls the DomU in all ways, and writes the Samples as one
// JSON object.
func Dom0(ctx context.Context, domid uint16, out io.Writer) error {
	// This project's programs have a second P also on one vCPU: sysmon takes
	// the only P away from a thread that blocks.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	s := make(Samples)
	// libxenvchan is counted before and after the project's calls.
	steps := []func(context.Context, uint16, Samples) error{vchan, references, calls, tcp, vchan}
	for _, step := range steps {
		if err := step(ctx, domid, s); err != nil {
			return err
		}
	}
	return json.NewEncoder(out).Encode(s)
}

// count adds counts of f to the samples.
func (s Samples) count(name string, f func() error) error { return s.countN(name, counts, f) }

// countN adds n counts.
func (s Samples) countN(name string, n int, f func() error) error {
	took := make([]float64, 0, n)
	for i := range warmUp + n {
		mark(phases[name])
		begin := tsc()
		err := f()
		end := tsc()
		mark(0)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if i >= warmUp {
			took = append(took, float64(end-begin))
		}
	}
	s[name] = append(s[name], took...)
	return nil
}

func vchan(ctx context.Context, domid uint16, s Samples) error {
	cmd := exec.CommandContext(ctx, vchanProgram, "call", fmt.Sprint(domid),
		fmt.Sprintf("/local/domain/%d/%s", domid, vchanPath), fmt.Sprint(warmUp+counts))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", vchanProgram, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for n := 0; lines.Scan(); n++ {
		v, err := strconv.ParseFloat(lines.Text(), 64)
		if err != nil {
			return err
		}
		if n >= warmUp {
			s[sampleVchan] = append(s[sampleVchan], v)
		}
	}
	return lines.Err()
}

// references counts a system call and a hypercall, with which a call is
// compared.
func references(_ context.Context, _ uint16, s Samples) (err error) {
	f, err := os.Open("/dev/xen/privcmd")
	if err != nil {
		return err
	}
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = conn.Control(func(fd uintptr) {
		inner = s.count(sampleIoctl, func() error {
			if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, fd, 0, 0); errno != unix.ENOTTY {
				return fmt.Errorf("ioctl 0: %w, want ENOTTY", errno)
			}
			return nil
		})
		if inner == nil {
			inner = s.count(sampleXen, func() error { return xenVersion(fd) })
		}
	})
	return errors.Join(err, inner)
}

// hypercall is struct privcmd_hypercall of <xen/privcmd.h>.
type hypercall struct {
	_   structs.HostLayout
	op  uint64
	arg [5]uint64
}

const (
	ioctlHypercall = 0x305000 // IOCTL_PRIVCMD_HYPERCALL: _IOC(_IOC_NONE, 'P', 0, sizeof(hypercall))
	xenVersionOp   = 17       // __HYPERVISOR_xen_version; command 0 takes no argument
)

func xenVersion(fd uintptr) error {
	h := hypercall{op: xenVersionOp}
	if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, fd, ioctlHypercall, uintptr(unsafe.Pointer(&h))); errno != 0 {
		return os.NewSyscallError("xen_version", errno)
	}
	return nil
}

func calls(ctx context.Context, domid uint16, s Samples) (err error) {
	d, err := xen.Open(ctx, domid)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := opens(ctx, d, s); err != nil {
		return err
	}
	for _, way := range []struct {
		name string
		wait vlibcall.WaitPolicy
	}{{sampleBlock, vlibcall.Block}, {sampleBatch, vlibcall.Block}, {sampleAdaptive, vlibcall.SpinThenBlock}, {sampleSession, vlibcall.Spin}} {
		if err := call(ctx, d, s, way.name, counts, way.wait); err != nil {
			return err
		}
	}
	return nil
}

// opens counts opening and closing a channel without a call.
func opens(ctx context.Context, d *xen.Domain, s Samples) error {
	for range 100 {
		mark(phaseOpen)
		begin := tsc()
		ch, err := vlibcall.Open(ctx, d, vlibcall.Options{Port: port, Size: 2 * transport.HeaderSize})
		if err == nil {
			err = ch.Close()
		}
		end := tsc()
		mark(0)
		if err != nil {
			return err
		}
		s[sampleOpen] = append(s[sampleOpen], float64(end-begin))
	}
	return nil
}

func call(ctx context.Context, d *xen.Domain, s Samples, name string, n int, wait vlibcall.WaitPolicy) (err error) {
	o := vlibcall.Options{Port: port, Size: 2 * transport.HeaderSize, Wait: wait}
	if name == sampleBatch {
		o.InFlight = transport.MaxInFlight
	}
	ch, err := vlibcall.Open(ctx, d, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ch.Close()) }()
	var message [64]byte
	dst := make([]byte, 0, len(message))
	// A context that can end costs an allocation for each call;
	// Options.Timeout costs none.
	background := context.Background()
	f := func() error {
		_, err := ch.Call(background, builtin.Library, builtin.Echo, message[:], dst)
		return err
	}
	switch name {
	case sampleBatch:
		requests := make([]vlibcall.Request, o.InFlight)
		for i := range requests {
			requests[i] = vlibcall.Request{Library: builtin.Library, Function: builtin.Echo, Input: message[:], Output: make([]byte, 0, len(message))}
		}
		f = func() error { return ch.Batch(background, requests) }
	case sampleSession:
		session, err := ch.Session(ctx, builtin.Library, builtin.Echo)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		f = func() error {
			_, err := session.Call(background, message[:], dst)
			return err
		}
	}
	return s.countN(name, n, f)
}
