// SPDX-License-Identifier: Apache-2.0

// Package reservation is for tools in Dom0 that run on a budget and make calls
// with it: one account for their own CPU time and for what domains use for their
// calls. The host's master (vlibmaster serve) keeps it.
//
// A program that 'vlibmaster run' has started finds its reservation with
// [FromEnvironment]. Another asks for one, for itself or for the thread that it
// has locked (runtime.LockOSThread), and names it in its channels:
//
//	r, err := reservation.Reserve(ctx, reservation.Options{
//		Budget: 10 * time.Millisecond, Period: 100 * time.Millisecond, Calls: []string{"db"},
//	})
//	if err != nil {
//		return err
//	}
//	defer r.Close()
//	c, err := vlibcall.Open(ctx, domain, vlibcall.Options{Size: size, Reservation: r.Number()})
//
// While there is budget, the threads are real-time (SCHED_FIFO), shorter periods
// first; beyond it they have the time that nobody else wants. Asynchronous calls
// can be paid by another reservation than the caller's: they name its number.
// Only root may ask.
package reservation
