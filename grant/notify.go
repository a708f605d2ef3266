// SPDX-License-Identifier: Apache-2.0

package grant

// Notify is the kernel's action when the last mapping of shared pages ends, by
// Unmap or Free or because the process died. Through it one side learns that
// the other one has died.
type Notify struct {
	// Clear sets the byte at Offset to zero. Offset counts from the start of
	// the mapping or the pages.
	Clear  bool
	Offset int

	// Signal sends an event on Port, a local port that this process has bound
	// through /dev/xen/evtchn. The kernel keeps the port open until then, even
	// if the process closes it.
	Signal bool
	Port   uint32
}

func (n Notify) action() uint32 {
	var action uint32
	if n.Clear {
		action |= notifyClearByte
	}
	if n.Signal {
		action |= notifySendEvent
	}
	return action
}
