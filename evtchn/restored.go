// SPDX-License-Identifier: Apache-2.0

package evtchn

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Restored reports whether this domain was restored from a saved one, or has
// migrated, since the handle bound its ports. All ports were the domain's that
// was saved: they carry no event, and a wait in progress does not end. Then
// the kernel has forgotten the handle's ports, so that Close is safe; call
// [Handle.Release] next.
//
// Linux does not tell a program, and closes the ports of a restored domain
// wrongly: the process dies with a kernel BUG, or a device loses the event
// channel that now has the number (drivers/xen/evtchn.c,
// evtchn_unbind_from_user, with xen_irq_resume in drivers/xen/events). But the
// kernel refuses to bind a number that the handle has already, and drops all of
// the handle's entries then. A live port's number is never offered. So the
// lowest free ports are allocated until one is refused, or all numbers of the
// handle have been passed.
func (h *Handle) Restored() (bool, error) {
	fd, ok := h.acquire()
	if !ok {
		return false, errWaitClosed
	}
	defer h.release()
	others, err := openDevice() // has the free ports between
	if err != nil {
		return false, opError("open", err)
	}
	defer closeDevice(others)
	for {
		port, err := ioctlUnbound(fd, domidSelf)
		if errors.Is(err, unix.EEXIST) {
			return true, nil
		}
		if err != nil {
			return false, opError("look for a bound port", err)
		}
		if err := ioctlUnbindPort(fd, port); err != nil {
			return false, opError("look for a bound port", err)
		}
		if uint32(port) > h.last.Load() {
			return false, nil
		}
		if _, err := ioctlUnbound(others, domidSelf); err != nil {
			return false, opError("look for a bound port", err)
		}
	}
}

// Release makes the wait in progress of a handle that is [Handle.Restored] return:
// [ErrInterrupted], or an event of a port that the caller does not know.
func (h *Handle) Release() error {
	fd, ok := h.acquire()
	if !ok {
		return nil
	}
	defer h.release()
	// The new port may have the number of the handle's own.
	h.interrupted.Store(true)
	send, err := ioctlUnbound(fd, domidSelf)
	if err == nil {
		_, err = ioctlInterdomain(fd, domidSelf, send)
	}
	return opError("end a wait", err)
}
