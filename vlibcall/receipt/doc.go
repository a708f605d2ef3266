// SPDX-License-Identifier: Apache-2.0

// Package receipt keeps what calls cost, without a word to the daemon for each:
// a tool counts into a [Book], a file that it maps into its memory, and the
// daemon reads all books from a [Shelf] when it is asked.
//
//	book, err := receipt.Open(master.DefaultDir)
//	r := book.Recorder(receipt.Self(), domain.UUID, domain.Name)
//	ch, err := vlibcall.Open(ctx, domain, vlibcall.Options{Port: port, Size: size, Record: r.Record})
//
// To record a call is some atomic additions: no lock, no allocation, no system
// call. Times are nanoseconds in histograms whose quantiles are right to 6 %,
// from 1 ns to more than an hour.
//
// A book has room for 63 functions; calls of any others count together, as
// [Other]. When its process closes a book, or dies, the daemon adds the book
// to its own totals and removes it.
//
// It is not a log: the times and the order of calls are not recorded. The files
// are root's; the daemon checks them all the same, for a writer may die at any
// moment.
package receipt
