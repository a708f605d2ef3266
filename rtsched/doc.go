// SPDX-License-Identifier: Apache-2.0

// Package rtsched is the arithmetic of reservations: a budget C of CPU time in
// every period T. It computes whether the reservations of one CPU have their
// budgets in time ([Admit]), how large another one may be ([Most]), and how much
// of a budget is available now ([Server]): sections 3.4 and 4.1 of the vLibOS
// paper.
//
// It is for programs that must know before they ask the hypervisor, and for hosts
// where no hypervisor accounts for budgets. It is not a scheduler: it runs
// nothing, and it has no clock. Callers pass times, in nanoseconds since a moment
// of their choice.
//
// The module in Xen has the same in C: server.c and admission.c in
// hypervisor/xen/common/sched/vlib. Results are equal to the nanosecond; a test
// runs both. docs/explanation/scheduling.md explains the rules.
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
