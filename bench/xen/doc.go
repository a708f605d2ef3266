// SPDX-License-Identifier: Apache-2.0

// Package xen measures calls from Dom0 into a DomU on real Xen, and the
// module in Xen that schedules and charges them, in the lab's counted mode: the time-stamp counter's advance is then the number of
// instructions that the whole machine has executed, Xen, both kernels and
// both programs, and comes out the same on any host, however busy.
//
// Instructions are not time: caches cost nothing in them. What is compared is
// always measured in the same boot; schedulers, of which there is one a boot,
// in boots that are alike in all else.
package xen
