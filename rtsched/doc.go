// SPDX-License-Identifier: Apache-2.0

// Package rtsched is the arithmetic of reservations: a budget C of CPU time in
// every period T. It says whether the reservations of one CPU have their
// budgets in time ([Admit]), how large one more may be ([Most]), and how much
// of a budget is there now ([Server]): sections 3.4 and 4.1 of the vLibOS
// paper.
//
// It is for whoever must know before the hypervisor is asked, and for
// hosts where no hypervisor keeps the account. It is not a scheduler: it
// runs nobody, and it has no clock. Times are passed in, in nanoseconds since
// a moment that the caller chooses.
//
// The module in Xen has the same in C, server.c and admission.c below
// hypervisor/xen/common/sched/vlib, and this package gives the same results to
// the nanosecond; a test runs both. docs/scheduling.md has the rules in words.
//
// # Sources
//
// Admission is the response-time analysis for fixed priorities: M. Joseph,
// P. Pandya: Finding Response Times in a Real-Time System, 1986; N. Audsley et
// al.: Applying New Scheduling Theory to Static Priority Pre-emptive
// Scheduling, 1993. The server is B. Sprunt, L. Sha, J. Lehoczky: Aperiodic
// Task Scheduling for Hard-Real-Time Systems, 1989, with the corrections of
// M. Stanovich et al.: Defects of the POSIX Sporadic Server and How to Correct
// Them, 2010.
package rtsched
