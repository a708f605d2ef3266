// SPDX-License-Identifier: Apache-2.0

// Package experiment is the table of the experiments that run on any Linux
// machine, in real time, without Xen and without the lab. It serves both
// 'vlibmaster bench', which operators have, and 'vlibbench', which has the lab's
// experiments, too.
//
// The processes of an experiment are the same program: a program that runs
// experiments has the command [ChildCommand], which calls [Child].
package experiment
