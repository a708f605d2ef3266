// SPDX-License-Identifier: Apache-2.0

// Package experiment is the table of what can be measured on any Linux machine,
// in real time, without Xen and without the lab: one source for
// 'vlibmaster bench', which an operator has, and for 'vlibbench', which has the
// lab's experiments beside them.
//
// An experiment's processes are this very program: who runs one gives it the
// command [ChildCommand], which calls [Child].
package experiment
