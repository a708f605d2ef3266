// SPDX-License-Identifier: Apache-2.0

// Package xen measures calls from Dom0 into a DomU on real Xen, and the module
// in Xen that schedules and charges them, in the lab's counted mode. There the
// time-stamp counter advances by the number of instructions that the whole
// machine executes: Xen, both kernels and both programs. The number is the same
// on any host, however busy.
//
// Instructions are not time: caches cost nothing in them. Figures are compared
// within one boot. Schedulers, of which a boot has one, are compared between
// boots that are otherwise equal.
package xen
