// SPDX-License-Identifier: Apache-2.0

package evtchn

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Port is a local event-channel port, or the remote one in BindInterdomain.
type Port uint32

// VIRQ is a virtual interrupt of <xen/xen.h>.
type VIRQ uint32

// Virtual interrupts for control programs.
//
// VIRQDomExc (VIRQ_DOM_EXC) tells Dom0 that some domain died, shut down or
// crashed. It is global: all of Dom0 has one listener. Where xenstored runs it
// is the listener, and passes the news on as the watch @releaseDomain.
const (
	VIRQTimer  VIRQ = 0
	VIRQDebug  VIRQ = 1
	VIRQDomExc VIRQ = 3
)

// batch is the largest number of ports that one read takes from the kernel.
const batch = 64

// Handle is one open /dev/xen/evtchn with the ports bound through it. All
// methods are safe for concurrent use; one goroutine at a time may wait. The
// owner calls Close, which unbinds every port.
type Handle struct {
	// mu keeps fd open: every use of fd holds it shared, for the whole system
	// call, and only Close takes it exclusively. A shared lock costs two atomic
	// additions, which is little beside the system call. It ensures that a
	// descriptor number is never used after Close has freed it and another open
	// has received it.
	//
	// Lock order: waiting, then mu.
	mu sync.RWMutex
	fd int // -1 when closed

	last atomic.Uint32 // the highest port that was bound

	closing     atomic.Bool
	interrupted atomic.Bool

	// The handle's own event channel, connected to itself. A notification on
	// wakeSend makes a blocked read of fd return wakeRecv. So a wait is one
	// system call, on fd alone.
	wakeSend, wakeRecv Port

	waiting sync.Mutex // held by the waiting goroutine; guards the fields below
	queue   [batch]Port
	head    int
	tail    int

	// alarm rings the wake port at alarmAt, for a wait with a deadline. Close
	// stops it under mu, when no wait can be between the two locks.
	alarm   *time.Timer
	alarmAt time.Time
}

// Open opens /dev/xen/evtchn. The handle binds two ports for its own use.
func Open() (*Handle, error) {
	fd, err := openDevice()
	if err != nil {
		return nil, opError("open", err)
	}
	h := &Handle{fd: fd}
	if err := h.bindWake(); err != nil {
		h.fd = -1
		return nil, opError("open", errors.Join(err, closeDevice(fd)))
	}
	h.alarm = time.AfterFunc(time.Hour, h.wake)
	h.alarm.Stop() // a wait sets it
	return h, nil
}

func (h *Handle) bindWake() error {
	send, err := ioctlUnbound(h.fd, domidSelf)
	if err != nil {
		return fmt.Errorf("allocate the handle's own port: %w", err)
	}
	// The event of the binding arrives on the binding side, where a wait
	// recognises it.
	recv, err := ioctlInterdomain(h.fd, domidSelf, send)
	if err != nil {
		return fmt.Errorf("bind the handle's own port: %w", err)
	}
	h.wakeSend, h.wakeRecv = send, recv
	h.last.Store(uint32(max(send, recv)))
	return nil
}

// acquire keeps fd open until release.
func (h *Handle) acquire() (fd int, ok bool) {
	h.mu.RLock()
	if h.fd < 0 || h.closing.Load() {
		h.mu.RUnlock()
		return -1, false
	}
	return h.fd, true
}

func (h *Handle) release() { h.mu.RUnlock() }

// BindInterdomain connects to a port that domain domid has allocated for this
// domain, and returns the local port. The port starts unmasked, with one event
// pending.
func (h *Handle) BindInterdomain(domid uint16, remote Port) (Port, error) {
	return h.bind(fmt.Sprintf("bind interdomain %d/%d", domid, remote), func(fd int) (Port, error) {
		return ioctlInterdomain(fd, domid, remote)
	})
}

// BindUnbound allocates a port that domain domid may connect to. The port
// starts unmasked.
func (h *Handle) BindUnbound(domid uint16) (Port, error) {
	return h.bind(fmt.Sprintf("bind unbound for domain %d", domid), func(fd int) (Port, error) {
		return ioctlUnbound(fd, domid)
	})
}

// BindVIRQ binds a virtual interrupt of vCPU 0 to a new port. A global one
// (marked G in <xen/xen.h>) has a single listener in the system: EEXIST when
// it is taken.
func (h *Handle) BindVIRQ(virq VIRQ) (Port, error) {
	return h.bind(fmt.Sprintf("bind virq %d", virq), func(fd int) (Port, error) {
		return ioctlVIRQ(fd, virq)
	})
}

func (h *Handle) bind(op string, ioctl func(fd int) (Port, error)) (Port, error) {
	fd, ok := h.acquire()
	if !ok {
		return 0, opError(op, os.ErrClosed)
	}
	defer h.release()
	port, err := ioctl(fd)
	for last := h.last.Load(); err == nil && uint32(port) > last; last = h.last.Load() {
		h.last.CompareAndSwap(last, uint32(port))
	}
	return port, opError(op, err)
}

// Unbind closes a port. A wait may still return events of it that the kernel
// has already queued.
func (h *Handle) Unbind(port Port) error {
	fd, ok := h.acquire()
	if !ok {
		return opError(fmt.Sprintf("unbind %d", port), os.ErrClosed)
	}
	defer h.release()
	if err := ioctlUnbindPort(fd, port); err != nil {
		return opError(fmt.Sprintf("unbind %d", port), err)
	}
	return nil
}

// Notify sends an event to the other side of port. It never waits for that
// side. A peer that is gone is not an error: Xen drops the event.
func (h *Handle) Notify(port Port) error {
	fd, ok := h.acquire()
	if !ok {
		return errNotifyClosed
	}
	defer h.release()
	if err := notifyPort(fd, port); err != nil {
		return opError(fmt.Sprintf("notify %d", port), err)
	}
	return nil
}

// Unmask lets the next event of a received port arrive; the package
// documentation says when to call it. The kernel ignores a port that is not
// masked, or that is not one of this handle.
func (h *Handle) Unmask(port Port) error {
	fd, ok := h.acquire()
	if !ok {
		return errUnmaskClosed
	}
	defer h.release()
	if err := writePort(fd, port); err != nil {
		return opError(fmt.Sprintf("unmask %d", port), err)
	}
	return nil
}

// Close ends a wait in progress with os.ErrClosed, waits for operations in
// progress, and unbinds all ports. Closing again does nothing.
func (h *Handle) Close() error {
	if h.closing.Swap(true) {
		return nil
	}
	h.wake()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alarm.Stop()
	fd := h.fd
	h.fd = -1
	return opError("close", closeDevice(fd))
}

// wake makes the read in progress, or else the next one, return wakeRecv.
// Unlike acquire it works on a closing handle. The ioctl fails only for a port
// that is not bound, and this one is bound as long as fd is open.
func (h *Handle) wake() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.fd >= 0 {
		_ = notifyPort(h.fd, h.wakeSend)
	}
}
