// SPDX-License-Identifier: Apache-2.0

// Package evtchn sends and receives Xen event channels from user space through
// /dev/xen/evtchn. It is for programs in Dom0 or in a DomU that share memory
// with another domain, and that signal it and are signalled by it.
//
// An event carries no data and events are merged: any number of notifications
// that arrive before the port is read make one event. A waiter may also see an
// event that was not sent: Xen sets a port pending when it is bound to a remote
// one (EVTCHNOP_bind_interdomain, in case a notification was lost before), and
// the number of a closed port may be allocated again. So an event means "check
// again", never "it happened once".
//
// A port that a wait returned stays masked until [Handle.Unmask]; until then no
// further event of this port arrives. Call it once per received event, and
// before reading the shared memory that the event is about. In that order Xen
// keeps a notification that is sent after the reading pending, and it arrives;
// in the other order it may be lost.
//
// Waiting is a blocking system call in the calling goroutine's thread. It does
// not use the Go netpoller: a wake-up through epoll costs a second wake-up, of
// the polling thread, and wake-ups are most of a call's round trip into another
// domain.
//
// This package is not for grant mappings (package grant), nor for events within
// one domain, for which an eventfd or a futex is cheaper.
package evtchn
