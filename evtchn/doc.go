// SPDX-License-Identifier: Apache-2.0

// Package evtchn sends and receives Xen event channels from user space through
// /dev/xen/evtchn. It is for programs in Dom0 or in a DomU that share memory
// with another domain and need to ring its bell and hear its own.
//
// An event carries no data and events are merged: any number of notifications
// that arrive before the port is read make one event. A waiter may also see an
// event that nobody sent: Xen sets a port pending when it is bound to a remote
// one (EVTCHNOP_bind_interdomain, in case a notification was lost before), and
// a port number that was unbound may be given out again. So treat an event as
// "look again", never as "it happened once".
//
// A port that was received stays masked until [Handle.Unmask]: without that no
// further event of this port arrives. Call it once per received event, and
// before looking at the shared memory the event is about. In that order a
// notification sent after the look is kept pending by Xen and arrives; in the
// other order it may be lost.
//
// Waiting is a blocking system call in the calling goroutine's thread, not the
// Go netpoller: a wake-up through epoll costs a second wake-up, of the thread
// that polls, and the round trip of a call into another domain is made of
// little else.
//
// It is not for grant mappings (package grant) nor for events within one
// domain, for which an eventfd or a futex is cheaper.
package evtchn
