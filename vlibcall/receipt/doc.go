// SPDX-License-Identifier: Apache-2.0

// Package receipt stores the costs of calls without a message to the daemon for
// each: a tool counts into a [Book], a file that it maps into its memory, and
// the daemon reads all books from a [Shelf] when it needs them.
//
//	book, err := receipt.Open(api.DefaultRunDir)
//	r := book.Recorder(receipt.Self(), domain.UUID, domain.Name)
//	ch, err := vlibcall.Open(ctx, domain, vlibcall.Options{Port: port, Size: size, Record: r.Record})
//
// Recording a call takes some atomic additions: no lock, no allocation, no
// system call. Times are nanoseconds in histograms whose quantiles have an
// error of at most 6 %, from 1 ns to more than an hour.
//
// A book has room for 63 functions; calls of any others count together, as
// [Other]. When its process closes a book, or dies, the daemon adds the book
// to its own totals and removes it.
//
// It is not a log: the times and the order of calls are not recorded. The files
// are root's; the daemon still checks them, since a writer may die at any
// moment.
package receipt
